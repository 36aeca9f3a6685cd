// A channel's sum, of what workgroups left.
//#use layers/partial_sum.wgsl
struct Args { channels: u32, sweep_parts: u32, sweep_blocks: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
fn partial_sum(first: u32, count: u32) -> f32 { return f32(first + count); } //#stub
override NORM_FIRST: u32 = 0u; // The number of the norms' first sum among all sums: of the gradient of T.

fn channel_sum(value: u32, c: u32) -> f32 {
    let first = args.sweep_parts + (value * args.channels + c) * args.sweep_blocks;
    return partial_sum(first, args.sweep_blocks);
}
