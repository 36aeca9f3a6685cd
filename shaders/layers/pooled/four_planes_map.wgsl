// The map of plane_map.wgsl for layers that need much that belongs to a place: a workgroup takes a tile of four planes
// together, since what belongs to a place (`spot`) costs as many loads as x. The last four of a sample may be fewer.
alias Places = f32; //#stub
alias Held = u32; //#stub
fn hold(n: u32, c: u32) -> Held { return n + c; } //#stub
struct Spot { factor: Places } //#stub
fn spot(place: u32) -> Spot { return Spot(f32(place)); } //#stub
fn spot_write(i: u32, held: Held, s: Spot) { _ = f32(i + held) * s.factor; } //#stub
const PLACES_COUNT: u32 = 4u; //#stub
struct Args { row: u32, samples: u32, channels: u32, fours: u32, places: u32, steps: u32, span: u32, tiles: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

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
    for (var q = tile * args.span + lane; q < end; q += 64u) {
        let s = spot(n * args.places + q * PLACES_COUNT);
        let i = (n * args.channels + c) * args.steps + q;
        spot_write(i, held_0, s);
        if c + 1u < args.channels {
            spot_write(i + args.steps, held_1, s);
        }
        if c + 2u < args.channels {
            spot_write(i + 2u * args.steps, held_2, s);
        }
        if c + 3u < args.channels {
            spot_write(i + 3u * args.steps, held_3, s);
        }
    }
}
