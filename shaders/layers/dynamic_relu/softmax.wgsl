// The softmax of the logits over a sample's places, in variant C.
//
// Of a place its power is kept, e^(logit - largest), where the largest is that of the place's block: the places that a
// workgroup has seen together. A block's share, one number, makes the softmax of it: so no second pass over the
// places is needed, and a place costs one load and one product.
//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
alias Places = f32; //#stub
const PLACES_COUNT: u32 = 1u; //#stub
fn places_of_saved(at: u32, stride: u32) -> Places { return f32(at + stride); } //#stub
struct Args { places: u32, places_magic: u32, places_shift: u32, place_blocks: u32, powers: u32, shares: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> saved: array<f32>; //#bind

// Places of a block; a word's lie in one, since the lengths that have words of places are multiples of four.
const BLOCK: u32 = 64u * PLACES_COUNT;

// The sample of a place of all samples' places.
fn sample_of(place: u32) -> u32 {
    return m_divide(place, args.places_magic, args.places_shift);
}

fn softmax_at(place: u32, n: u32) -> Places {
    let block = n * args.place_blocks + (place - n * args.places) / BLOCK;
    return places_of_saved(args.powers + place, 1u) * saved[args.shares + block];
}
