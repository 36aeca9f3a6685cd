// What a sample's softmax takes from its places' gradients alike; see factors.wgsl.
//#use layers/partial_sum.wgsl
fn partial_sum(first: u32, count: u32) -> f32 { return f32(first + count); } //#stub
struct Args { place_blocks: u32, part_bends: u32, bends: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>; //#bind

fn bends_step(n: u32) {
    scratch[args.bends + n] = partial_sum(args.part_bends + n * args.place_blocks, args.place_blocks);
}
