// The sums of plane_sums.wgsl for layers that need much that belongs to a place: a workgroup takes a tile of four planes
// together, since what belongs to a place (`spot`) costs as many loads as x. The last four of a sample may be fewer.
//#use layers/lanes.wgsl as channels
alias Places = f32; //#stub
alias V = f32; //#stub
alias Channels = f32; //#stub
alias Held = u32; //#stub
fn hold(n: u32, c: u32) -> Held { return n + c; } //#stub
struct Spot { factor: Places } //#stub
fn spot(place: u32) -> Spot { return Spot(f32(place)); } //#stub
struct Terms { x: V } //#stub
fn spot_terms(i: u32, held: Held, s: Spot) -> Terms { return Terms(f32(i + held) * s.factor); } //#stub
fn plus(a: Terms, b: Terms) -> Terms { return Terms(a.x + b.x); } //#stub
fn keep(lane: u32, first: u32, t: Terms) { channels_keep(first, lane, t.x); } //#stub
fn channels_keep(sum: u32, lane: u32, v: Channels) { channels_put(sum, v, lane, lane); } //#stub
fn channels_add_lanes(lane: u32, group: u32) { _ = lane + group; } //#stub
const PLACES_COUNT: u32 = 4u; //#stub
struct Args { row: u32, samples: u32, channels: u32, fours: u32, places: u32, steps: u32, span: u32, tiles: u32, partials: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>; //#bind

// Sums of a plane; CHANNELS_SUMS, of which lanes.wgsl knows, are those of four planes.
override VALUES: u32 = 5u;

// Words that a lane adds to a part: one of every 64.
const RUN: u32 = 16u * 64u;

fn channels_put(value: u32, sum: Channels, group: u32, unit: u32) {
    let rest = group / args.tiles;
    let n = rest / args.fours;
    let c = (rest - n * args.fours) * 4u + value / VALUES;
    if c < args.channels {
        let first = ((value % VALUES) * args.samples + n) * args.channels + c;
        scratch[args.partials + first * args.tiles + group % args.tiles] = sum;
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
    let n = rest / args.fours;
    if n >= args.samples {
        return;
    }
    let c = (rest - n * args.fours) * 4u;
    let last = args.channels - 1u;
    let held_0 = hold(n, c);
    let held_1 = hold(n, min(c + 1u, last));
    let held_2 = hold(n, min(c + 2u, last));
    let held_3 = hold(n, min(c + 3u, last));
    let end = min((tile + 1u) * args.span, args.steps);
    var total_0 = Terms();
    var total_1 = Terms();
    var total_2 = Terms();
    var total_3 = Terms();
    for (var begin = tile * args.span + lane; begin < end; begin += RUN) {
        var part_0 = Terms();
        var part_1 = Terms();
        var part_2 = Terms();
        var part_3 = Terms();
        for (var q = begin; q < min(begin + RUN, end); q += 64u) {
            let s = spot(n * args.places + q * PLACES_COUNT);
            let i = (n * args.channels + c) * args.steps + q;
            part_0 = plus(part_0, spot_terms(i, held_0, s));
            if c + 1u < args.channels {
                part_1 = plus(part_1, spot_terms(i + args.steps, held_1, s));
            }
            if c + 2u < args.channels {
                part_2 = plus(part_2, spot_terms(i + 2u * args.steps, held_2, s));
            }
            if c + 3u < args.channels {
                part_3 = plus(part_3, spot_terms(i + 3u * args.steps, held_3, s));
            }
        }
        total_0 = plus(total_0, part_0);
        total_1 = plus(total_1, part_1);
        total_2 = plus(total_2, part_2);
        total_3 = plus(total_3, part_3);
    }
    keep(lane, 0u, total_0);
    keep(lane, VALUES, total_1);
    keep(lane, 2u * VALUES, total_2);
    keep(lane, 3u * VALUES, total_3);
    channels_add_lanes(lane, group);
}
