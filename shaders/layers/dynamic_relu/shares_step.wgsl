// The share of each of a sample's blocks, which makes the softmax of powers (softmax.wgsl): e^(the block's largest logit -
// the sample's), over the sum of all powers.
//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
struct Args { place_blocks: u32, part_largest: u32, part_powers: u32, shares: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> scratch: array<f32>; //#bind
@group(0) @binding(2) var<storage, read_write> saved: array<f32>; //#bind

// v times e^(a block's largest - the sample's).
fn lowered(block: u32, largest: f32, v: f32) -> f32 {
    let e = m_exp(max(scratch[args.part_largest + block] - largest, -250.0), 0.0);
    return m_exp_times(e, v);
}

fn shares_step(n: u32) {
    let first = n * args.place_blocks;
    let end = first + args.place_blocks;
    var largest = scratch[args.part_largest + first];
    for (var block = first + 1u; block < end; block += 1u) {
        largest = max(largest, scratch[args.part_largest + block]);
    }
    var powers = 0.0;
    for (var block = first; block < end; block += 1u) {
        powers += lowered(block, largest, scratch[args.part_powers + block]);
    }
    for (var block = first; block < end; block += 1u) {
        saved[args.shares + block] = lowered(block, largest, 1.0 / powers);
    }
}
