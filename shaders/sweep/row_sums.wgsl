// Where the elements of a channel lie beside each other: a workgroup has a tile of one channel's rows, or the rows of some
// channels if they are short, in the samples of one block, loads a channel's values once for all of them, and leaves one partial
// sum of each gradient for each channel. Lengths are in words of WIDTH elements.
//
// Eight lanes have a stretch of the tile, and go along it eight words at a time, which is one transaction of a GPU's memory. A
// processor, which runs the lanes one after another, goes along memory so; with the words of all 64 lanes beside each other it
// would come by each page eight times, and take twice as long. Where rows are short, fewer than eight eights go along one; the
// others go along those of the channels behind it, which lie behind it in memory.
//
// No running sum is long, and the order is fixed by what the host asks for: a lane adds the terms of a chunk of samples to a
// part, parts to its total; the totals of the lanes that share a channel are added by a tree.
//#use math/divide.wgsl
//#use sweep/eights.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
struct Held { nan: u32 } //#stub
fn hold(channel: u32) -> Held { return Held(channel); } //#stub
fn hold_sample(held: Held, place: u32) -> Held { return Held(held.nan + place); } //#stub
struct Terms { nan: u32 } //#stub
fn plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub
fn word(i: u32, held: Held) -> Terms { return Terms(i + held.nan); } //#stub
fn put(at: u32, sum: Terms) { _ = at + sum.nan; } //#stub
fn add_eights(lane: u32, along: u32, own: Terms) -> Terms { return Terms(lane + along + own.nan); } //#stub
const WIDTH: u32 = 4u; //#stub
struct Args { row: u32, len: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, chunk: u32, tile: u32, tiles: u32, along_log2: u32, tiles_magic: u32, tiles_shift: u32, across: u32, across_magic: u32, across_shift: u32, first: u32 } //#stub
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
    // So many eights of lanes go along a row, a power of two, and the others of eight along those of so many channels.
    let along = 1u << args.along_log2;
    let eight = lane / 8u;
    let channel = (row - block * args.across) * (8u >> args.along_log2) + (eight >> args.along_log2);
    let is_there = channel < args.channels;
    let held = hold(min(channel, args.channels - 1u));
    let begin = block * args.block;
    let end = select(0u, min(begin + args.block, args.outer), is_there);
    let here = min(args.inner - tile * args.tile, args.tile);
    let stretch = ((here + 8u * along - 1u) >> (3u + args.along_log2)) * 8u;
    let start = tile * args.tile + (eight & (along - 1u)) * stretch;
    var total = Terms();
    for (var chunk = begin; chunk < end; chunk += args.chunk) {
        var part = Terms();
        for (var sample = chunk; sample < min(chunk + args.chunk, end); sample += 1u) {
            let place = sample * args.channels + channel;
            let all = hold_sample(held, place);
            let first = place * args.inner;
            let stop = min(min(tile * args.tile + here, start + stretch), args.len / WIDTH - first);
            for (var at = start + lane % 8u; at < stop; at += 8u) {
                part = plus(part, word(first + at, all));
            }
        }
        total = plus(total, part);
    }
    let sum = add_eights(lane, along, total);
    if is_there & (lane % (8u * along) == 0u) {
        put(args.first + (block * args.channels + channel) * args.tiles + tile, sum);
    }
}
