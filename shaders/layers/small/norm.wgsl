// The batch norm `it`, of `width` values a sample, once what it normalises by is known; `it_put` says what becomes of each
// value.
fn it_put(i: u32, v: f32) { _ = v + f32(i); } //#stub
struct Args { it_plain: u32, it_mean: u32, it_inverse: u32, it_weight: u32, it_bias: u32, width: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> saved: array<f32>; //#bind

fn it_step(i: u32) {
    let c = i % args.width;
    let hat = (saved[args.it_plain + i] - saved[args.it_mean + c]) * saved[args.it_inverse + c];
    it_put(i, parameters[args.it_weight + c] * hat + parameters[args.it_bias + c]);
}
