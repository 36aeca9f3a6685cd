// The sweep of rows.wgsl where gradients are summed as well: each workgroup leaves one partial sum of each.
//
// No running sum is long, and the order is fixed by the shape alone: a lane adds the terms of a chunk of samples to a
// part, parts to its total; the lanes' totals are added by a tree.
//#use math/divide.wgsl
//#use sweep/lanes.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
struct Held { nan: u32 } //#stub
fn hold(channel: u32) -> Held { return Held(channel); } //#stub
fn hold_sample(held: Held, place: u32) -> Held { return Held(held.nan + place); } //#stub
struct Terms { nan: u32 } //#stub
fn plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub
fn word(i: u32, held: Held) -> Terms { return Terms(i + held.nan); } //#stub
fn put(at: u32, sum: Terms) { _ = at + sum.nan; } //#stub
fn add_lanes(lane: u32, own: Terms) -> Terms { return Terms(lane + own.nan); } //#stub
const WIDTH: u32 = 4u; //#stub
struct Args { row: u32, len: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, chunk: u32, tile: u32, tiles: u32, tiles_magic: u32, tiles_shift: u32, channels_magic: u32, channels_shift: u32, first: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    if group >= args.groups {
        return;
    }
    let row = m_divide(group, args.tiles_magic, args.tiles_shift);
    let tile = group - row * args.tiles;
    let block = m_divide(row, args.channels_magic, args.channels_shift);
    let channel = row - block * args.channels;
    let held = hold(channel);
    let begin = block * args.block;
    let end = min(begin + args.block, args.outer);
    var total = Terms();
    for (var chunk = begin; chunk < end; chunk += args.chunk) {
        var part = Terms();
        for (var sample = chunk; sample < min(chunk + args.chunk, end); sample += 1u) {
            let place = sample * args.channels + channel;
            let all = hold_sample(held, place);
            let first = place * args.inner;
            let stop = min(min(args.inner, (tile + 1u) * args.tile), args.len / WIDTH - first);
            for (var at = tile * args.tile + lane; at < stop; at += 64u) {
                part = plus(part, word(first + at, all));
            }
        }
        total = plus(total, part);
    }
    let sum = add_lanes(lane, total);
    if lane == 0u {
        put(args.first + group, sum);
    }
}
