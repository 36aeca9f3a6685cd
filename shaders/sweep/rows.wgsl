// Where the elements of a channel lie beside each other: a workgroup has a tile of one channel's rows, in the samples of
// one block, and loads the channel's values once for all of them. Lengths are in words of WIDTH elements. Eight lanes have a
// stretch of the tile, as in row_sums.wgsl.
//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
struct Held { nan: u32 } //#stub
fn hold(channel: u32) -> Held { return Held(channel); } //#stub
fn hold_sample(held: Held, place: u32) -> Held { return Held(held.nan + place); } //#stub
fn word(i: u32, held: Held) { _ = i + held.nan; } //#stub
const WIDTH: u32 = 4u; //#stub
struct Args { row: u32, len: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, tile: u32, tiles: u32, tiles_magic: u32, tiles_shift: u32, across: u32, across_magic: u32, across_shift: u32 } //#stub
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
    let block = m_divide(row, args.across_magic, args.across_shift);
    let channel = row - block * args.across;
    let held = hold(channel);
    let begin = block * args.block;
    let end = min(begin + args.block, args.outer);
    let here = min(args.inner - tile * args.tile, args.tile);
    let stretch = (here + 63u) / 64u * 8u;
    let start = tile * args.tile + lane / 8u * stretch;
    for (var sample = begin; sample < end; sample += 1u) {
        let place = sample * args.channels + channel;
        let all = hold_sample(held, place);
        let first = place * args.inner;
        let stop = min(min(tile * args.tile + here, start + stretch), args.len / WIDTH - first);
        for (var at = start + lane % 8u; at < stop; at += 8u) {
            word(first + at, all);
        }
    }
}
