// The logits of a sample's places, (spatial_bias + sum of spatial_weight x) / temperature, and of them each place's power,
// e^(logit - largest of the block), for the softmax (softmax.wgsl). A lane has a word's places, and goes through the
// channels; a workgroup is a block, of which it leaves the largest logit and the sum of all powers.
alias V = f32; //#stub
alias Flags = bool; //#stub
alias Channels = f32; //#stub
alias Places = f32; //#stub
const CHANNELS_COUNT: u32 = 1u; //#stub
const PLACES_COUNT: u32 = 1u; //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn word_of(n: u32, unit: u32, q: u32) -> u32 { return n + unit + q; } //#stub
fn weighted(weights: Channels, x: V) -> Places { return weights * x; } //#stub
fn channels_of_parameters(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
fn places_largest(v: Places) -> f32 { return v; } //#stub
fn places_total(v: Places) -> f32 { return v; } //#stub
fn places_power(v: Places) -> Places { return v; } //#stub
fn places_store(at: u32, stride: u32, v: Places) { _ = v + f32(at + stride); } //#stub
struct Args { row: u32, samples: u32, places: u32, place_blocks: u32, steps: u32, units: u32, spatial_weight: u32, spatial_bias: u32, warmth: f32, powers: u32, part_largest: u32, part_powers: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(2) var<storage, read_write> scratch: array<f32>; //#bind

var<workgroup> largests: array<f32, 64>;
var<workgroup> sums: array<f32, 64>;
// Of eight lanes; each lane joins eight, though eight have the same ones, so that there is no branch.
var<workgroup> eights: array<f32, 64>;

fn largest_logit(lane: u32) -> f32 {
    let k = lane % 8u * 8u;
    let low = max(max(largests[k], largests[k + 1u]), max(largests[k + 2u], largests[k + 3u]));
    let high = max(max(largests[k + 4u], largests[k + 5u]), max(largests[k + 6u], largests[k + 7u]));
    eights[lane] = max(low, high);
    workgroupBarrier();
    return max(
        max(max(eights[0], eights[1]), max(eights[2], eights[3])),
        max(max(eights[4], eights[5]), max(eights[6], eights[7])),
    );
}

fn sum_of_powers(lane: u32) -> f32 {
    let k = lane % 8u * 8u;
    let low = (sums[k] + sums[k + 1u]) + (sums[k + 2u] + sums[k + 3u]);
    let high = (sums[k + 4u] + sums[k + 5u]) + (sums[k + 6u] + sums[k + 7u]);
    eights[lane] = low + high;
    workgroupBarrier();
    return ((eights[0] + eights[1]) + (eights[2] + eights[3])) + ((eights[4] + eights[5]) + (eights[6] + eights[7]));
}

fn logits_of(n: u32, q: u32) -> Places {
    var sum = Places(0.0);
    for (var begin = 0u; begin < args.units; begin += 32u) {
        var part = Places(0.0);
        for (var unit = begin; unit < min(begin + 32u, args.units); unit += 1u) {
            let at = args.spatial_weight + unit * CHANNELS_COUNT;
            part += weighted(channels_of_parameters(at, 1u), x_load(word_of(n, unit, q)));
        }
        sum += part;
    }
    return (sum + parameters[args.spatial_bias]) * args.warmth;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) at: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = at.y * args.row + at.x;
    let n = group / args.place_blocks;
    if n >= args.samples {
        return;
    }
    let q = (group - n * args.place_blocks) * 64u + lane;
    let inside = q < args.steps;
    largests[lane] = -3.4028234e38;
    sums[lane] = 0.0;
    var logits = Places(0.0);
    if inside {
        logits = logits_of(n, q);
        largests[lane] = places_largest(logits);
    }
    workgroupBarrier();
    let largest = largest_logit(lane);
    if inside {
        let powers = places_power(logits - largest);
        places_store(args.powers + n * args.places + q * PLACES_COUNT, 1u, powers);
        sums[lane] = places_total(powers);
    }
    workgroupBarrier();
    let powers = sum_of_powers(lane);
    if lane == 0u {
        scratch[args.part_largest + group] = largest;
        scratch[args.part_powers + group] = powers;
    }
}
