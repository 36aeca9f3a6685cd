// The gradients of the places' softmax: through factor = min(gamma softmax, 1), which has none where it is 1, and factor
// times the largest line, summed over channels. A lane has a word's places, and goes through the channels; a workgroup
// leaves its part of what the softmax's own gradient takes from all places alike, the sum of gradients times softmax.
//#use layers/dynamic_relu/lines.wgsl
//#use layers/dynamic_relu/softmax.wgsl
//#use layers/lanes.wgsl as bend
alias V = f32; //#stub
alias Flags = bool; //#stub
alias Channels = f32; //#stub
alias Places = f32; //#stub
const CHANNELS_COUNT: u32 = 1u; //#stub
const PLACES_COUNT: u32 = 1u; //#stub
struct Line { slope: Channels, intercept: Channels } //#stub
struct Lines { k0: Line, k1: Line, k2: Line, k3: Line } //#stub
fn lines_of(n: u32, c: u32) -> Lines { return Lines(); } //#stub
struct Largest { value: V, slope: V, k: V } //#stub
fn largest_of(x: V, lines: Lines) -> Largest { return Largest(x, x, x); } //#stub
fn sample_of(place: u32) -> u32 { return place; } //#stub
fn softmax_at(place: u32, n: u32) -> Places { return f32(place + n); } //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn dy_load(i: u32) -> V { return f32(i); } //#stub
fn word_of(n: u32, unit: u32, q: u32) -> u32 { return n + unit + q; } //#stub
fn plus_channels(sum: Places, v: V) -> Places { return sum + v; } //#stub
fn places_total(v: Places) -> f32 { return v; } //#stub
fn places_store(at: u32, stride: u32, v: Places) { _ = v + f32(at + stride); } //#stub
fn bend_keep(sum: u32, lane: u32, v: Bend) { bend_put(sum, v, lane, lane); } //#stub
fn bend_add_lanes(lane: u32, group: u32) { _ = lane + group; } //#stub
struct Args { row: u32, samples: u32, places: u32, place_blocks: u32, steps: u32, units: u32, gamma: f32, dpowers: u32, part_bends: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>; //#bind

alias Bend = f32;

fn bend_put(value: u32, sum: Bend, group: u32, unit: u32) {
    scratch[args.part_bends + group] = sum;
}

fn dfactors_of(n: u32, q: u32) -> Places {
    var sum = Places(0.0);
    for (var begin = 0u; begin < args.units; begin += 32u) {
        var part = Places(0.0);
        for (var unit = begin; unit < min(begin + 32u, args.units); unit += 1u) {
            let i = word_of(n, unit, q);
            let lines = lines_of(n, unit * CHANNELS_COUNT);
            part = plus_channels(part, dy_load(i) * largest_of(x_load(i), lines).value);
        }
        sum += part;
    }
    return sum;
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
    var bend = 0.0;
    if q < args.steps {
        let place = n * args.places + q * PLACES_COUNT;
        let p = softmax_at(place, n);
        let d = args.gamma * dfactors_of(n, q);
        let inner = select(Places(0.0), d, args.gamma * p < Places(1.0));
        places_store(args.dpowers + place, 1u, inner);
        bend = places_total(inner * p);
    }
    bend_keep(0u, lane, bend);
    bend_add_lanes(lane, group);
}
