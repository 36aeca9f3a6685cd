// What belongs to the places of a word, forward: the factor min(gamma softmax, 1).
//#use layers/dynamic_relu/softmax.wgsl
alias Places = f32; //#stub
fn sample_of(place: u32) -> u32 { return place; } //#stub
fn softmax_at(place: u32, n: u32) -> Places { return f32(place + n); } //#stub
struct Args { gamma: f32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

struct Spot {
    factor: Places,
}

fn spot(place: u32) -> Spot {
    return Spot(min(args.gamma * softmax_at(place, sample_of(place)), Places(1.0)));
}
