// Writes each word of an image, where planes lie in one piece (NCHW). A workgroup stays in a tile of a plane, so that it
// loads what belongs to the channel once.
alias Held = u32; //#stub
fn hold(n: u32, c: u32) -> Held { return n + c; } //#stub
fn write(i: u32, held: Held, place: u32) { _ = i + held + place; } //#stub
const PLACES_COUNT: u32 = 4u; //#stub
struct Args { row: u32, channels: u32, planes: u32, places: u32, steps: u32, span: u32, tiles: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

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
    for (var q = start + lane % 8u; q < end; q += 8u) {
        write(plane * args.steps + q, held, n * args.places + q * PLACES_COUNT);
    }
}
