// Sums over an image's places, where the channels of a place lie beside each other (NHWC), of what `terms` gives of each
// word. A workgroup sums a tile of the places for 16 words of channels that lie beside each other: four lanes share one.
//
// The order of the sums is that of plane_sums.wgsl: 16 words to a part, parts to a lane's total, then the lanes' totals.
//#use layers/lanes.wgsl as channels
alias V = f32; //#stub
alias Channels = f32; //#stub
alias Held = u32; //#stub
fn hold(n: u32, c: u32) -> Held { return n + c; } //#stub
struct Terms { x: V } //#stub
fn terms(i: u32, held: Held, place: u32) -> Terms { return Terms(f32(i + held + place)); } //#stub
fn plus(a: Terms, b: Terms) -> Terms { return Terms(a.x + b.x); } //#stub
fn keep(lane: u32, first: u32, t: Terms) { channels_keep(first, lane, t.x); } //#stub
fn channels_keep(sum: u32, lane: u32, v: Channels) { channels_put(sum, v, lane, lane); } //#stub
fn channels_add_lanes(lane: u32, group: u32) { _ = lane + group; } //#stub
fn channels_store(at: u32, stride: u32, v: Channels) { _ = v + f32(at + stride); } //#stub
const CHANNELS_COUNT: u32 = 4u; //#stub
const CHANNELS_BESIDE: u32 = 16u; //#stub
struct Args { row: u32, samples: u32, channels: u32, places: u32, units: u32, span: u32, tiles: u32, blocks: u32, partials: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

// The lanes of a word of channels, and the places that one of them adds to a part: one of every LANES.
const LANES: u32 = 64u / CHANNELS_BESIDE;
const RUN: u32 = 16u * LANES;

fn channels_put(value: u32, sum: Channels, group: u32, unit: u32) {
    let rest = group / args.tiles;
    let n = rest / args.blocks;
    let own = (rest - n * args.blocks) * CHANNELS_BESIDE + unit;
    if own < args.units {
        let first = (value * args.samples + n) * args.channels + own * CHANNELS_COUNT;
        channels_store(args.partials + first * args.tiles + group % args.tiles, args.tiles, sum);
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) at: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = at.y * args.row + at.x;
    let rest = group / args.tiles;
    let tile = group - rest * args.tiles;
    let n = rest / args.blocks;
    if n >= args.samples {
        return;
    }
    // Lanes behind the last word of channels sum that word once more, and leave nothing.
    let own = (rest - n * args.blocks) * CHANNELS_BESIDE + lane % CHANNELS_BESIDE;
    let unit = min(own, args.units - 1u);
    let held = hold(n, unit * CHANNELS_COUNT);
    let end = min((tile + 1u) * args.span, args.places);
    var total = Terms();
    for (var begin = tile * args.span + lane / CHANNELS_BESIDE; begin < end; begin += RUN) {
        var part = Terms();
        for (var q = begin; q < min(begin + RUN, end); q += LANES) {
            let place = n * args.places + q;
            part = plus(part, terms(place * args.units + unit, held, place));
        }
        total = plus(total, part);
    }
    keep(lane, 0u, total);
    channels_add_lanes(lane, group);
}
