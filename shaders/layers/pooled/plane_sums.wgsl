// Sums over an image's places, where planes lie in one piece (NCHW), of what `terms` gives of each word. A workgroup sums
// a tile of a plane, and loads what belongs to the channel once.
//
// No running sum is long, and the order is fixed by the shape alone: a lane adds the terms of 16 words to a part, and parts
// to its total; then come the lanes' totals. A partial sum of each value is left for each tile, for a kernel to come. Eight
// lanes have a stretch of the tile, as in sweep/row_sums.wgsl.
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
const PLACES_COUNT: u32 = 4u; //#stub
struct Args { row: u32, channels: u32, planes: u32, places: u32, steps: u32, span: u32, tiles: u32, partials: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>; //#bind

// The words of which a lane adds one in eight to a part.
const RUN: u32 = 16u * 8u;

fn channels_put(value: u32, sum: Channels, group: u32, unit: u32) {
    scratch[args.partials + value * args.planes * args.tiles + group] = sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) at: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = at.y * args.row + at.x;
    let plane = group / args.tiles;
    if plane >= args.planes {
        return;
    }
    let tile = group - plane * args.tiles;
    let n = plane / args.channels;
    let held = hold(n, plane - n * args.channels);
    let first = tile * args.span;
    let here = min(args.span, args.steps - first);
    let stretch = (here + 63u) / 64u * 8u;
    let start = first + lane / 8u * stretch;
    let end = min(start + stretch, first + here);
    var total = Terms();
    for (var begin = start + lane % 8u; begin < end; begin += RUN) {
        var part = Terms();
        for (var q = begin; q < min(begin + RUN, end); q += 8u) {
            let place = n * args.places + q * PLACES_COUNT;
            part = plus(part, terms(plane * args.steps + q, held, place));
        }
        total = plus(total, part);
    }
    keep(lane, 0u, total);
    channels_add_lanes(lane, group);
}
