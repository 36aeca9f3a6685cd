// dx of variant C: through the largest line, through the mean, of which the lines are made, and through the place's logit.
//#use layers/dynamic_relu/lines.wgsl
//#use layers/dynamic_relu/spot_backward.wgsl
alias V = f32; //#stub
alias Flags = bool; //#stub
alias Channels = f32; //#stub
alias Places = f32; //#stub
struct Line { slope: Channels, intercept: Channels } //#stub
struct Lines { k0: Line, k1: Line, k2: Line, k3: Line } //#stub
fn lines_of(n: u32, c: u32) -> Lines { return Lines(); } //#stub
struct Largest { value: V, slope: V, k: V } //#stub
fn largest_of(x: V, lines: Lines) -> Largest { return Largest(x, x, x); } //#stub
struct Spot { factor: Places, dlogit: Places } //#stub
fn channels_of_scratch(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
fn channels_of_parameters(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn dy_load(i: u32) -> V { return f32(i); } //#stub
fn dx_store(i: u32, v: V, nan: Flags) { _ = select(v, f32(i), nan); } //#stub
fn nans(v: V) -> Flags { return v > 0.0; } //#stub
struct Args { channels: u32, dmeans: u32, spatial_weight: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

struct Held {
    lines: Lines,
    dmean: Channels,
    weight: Channels,
}

fn hold(n: u32, c: u32) -> Held {
    return Held(
        lines_of(n, c),
        channels_of_scratch(args.dmeans + n * args.channels + c, 1u),
        channels_of_parameters(args.spatial_weight + c, 1u),
    );
}

fn spot_write(i: u32, held: Held, s: Spot) {
    let x = x_load(i);
    let dy = dy_load(i);
    let through_line = dy * V(s.factor) * largest_of(x, held.lines).slope;
    let through_logit = V(s.dlogit) * V(held.weight);
    dx_store(i, through_line + V(held.dmean) + through_logit, nans(x) | nans(dy));
}
