// A window's gradient, from workgroups' sums: a step for each element. The first of them take a channel's norm
// and bias as well, where these are summed with the window.
//#use layers/partial_sum.wgsl
struct Args { channels: u32, sums_parts: u32, sums_blocks: u32, d_weight: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; //#bind
fn partial_sum(first: u32, count: u32) -> f32 { return f32(first + count); } //#stub
fn bn_gradients(c: u32) { return; } //#stub
fn bias_gradient(c: u32) { return; } //#stub
override WINDOW_SIZE: u32 = 9u;
override WINDOW_FIRST: u32 = 0u; // The number of its first element's sum among all sums.

fn window_step(i: u32) {
    let c = i / WINDOW_SIZE;
    let value = WINDOW_FIRST + i % WINDOW_SIZE;
    let first = args.sums_parts + (value * args.channels + c) * args.sums_blocks;
    gradients[args.d_weight + i] = partial_sum(first, args.sums_blocks);
    if i < args.channels {
        bn_gradients(i);
        bias_gradient(i);
    }
}
