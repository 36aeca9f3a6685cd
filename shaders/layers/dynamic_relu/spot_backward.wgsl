// What belongs to the places of a word, backward: the factor min(gamma softmax, 1), and the gradient of the logit, which is
// (d - sum of all d softmax) softmax / temperature, with d the gradient of the place's softmax. `bends` has the sums.
//#use layers/dynamic_relu/softmax.wgsl
alias Places = f32; //#stub
fn sample_of(place: u32) -> u32 { return place; } //#stub
fn softmax_at(place: u32, n: u32) -> Places { return f32(place + n); } //#stub
fn places_of_scratch(at: u32, stride: u32) -> Places { return f32(at + stride); } //#stub
struct Args { gamma: f32, warmth: f32, dpowers: u32, bends: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> scratch: array<f32>; //#bind

struct Spot {
    factor: Places,
    dlogit: Places,
}

fn spot(place: u32) -> Spot {
    let n = sample_of(place);
    let p = softmax_at(place, n);
    let d = places_of_scratch(args.dpowers + place, 1u) - scratch[args.bends + n];
    return Spot(min(args.gamma * p, Places(1.0)), p * d * args.warmth);
}
