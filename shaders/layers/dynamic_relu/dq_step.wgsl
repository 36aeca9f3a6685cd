// The gradient of q, of which a line's slope or intercept is made, from the sums over an image's places.
//#use layers/dynamic_relu/coefficient.wgsl
//#use layers/dynamic_relu/form.wgsl
//#use layers/pooled/values.wgsl
//#use layers/small/sum.wgsl as over_channels
const LINES: u32 = 2u; //#stub
fn lambda_of(which: u32) -> f32 { return f32(which); } //#stub
const SHARED: bool = false; //#stub
fn act_tanh_dx(x: f32) -> f32 { return x; } //#stub
fn value_of(value: u32, plane: u32) -> f32 { return f32(value + plane); } //#stub
fn over_channels_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
struct Args { channels: u32, q: u32, dq: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(2) var<storage, read_write> scratch: array<f32>; //#bind

fn over_channels_term(c: u32, value: u32, plane: u32) -> f32 {
    return value_of(value, plane + c);
}

fn dq_step(i: u32) {
    let line_set = i / (2u * LINES);
    let which = i - line_set * 2u * LINES;
    var sum = 0.0;
    if SHARED {
        sum = over_channels_sum(args.channels, which, line_set * args.channels);
    } else {
        sum = value_of(which, line_set);
    }
    scratch[args.dq + i] = sum * lambda_of(which) * 0.5 * act_tanh_dx(0.5 * saved[args.q + i]);
}
