// Where channels lie beside each other, and gradients are summed: a workgroup has a tile of the channels, in the samples of one
// block. All its lanes, or eight with a share of the samples, go through a sample together; the words of each are as many apart
// as there are such lanes. On a GPU a lane has one word. A processor runs eight lanes or so at a time: with one word they would
// go down a column, and come by each page of memory again and again; with eight they read 1 KiB at a time, and take a fifth of
// the time. Terms of a chunk of samples are added to a part, parts to a lane's share, and shares to one partial sum of each gradient
// for each channel: no running sum is long.
//#use math/divide.wgsl
//#use sweep/column_words.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
struct Held { nan: u32 } //#stub
struct Words { count: u32, apart: u32 } //#stub
struct Holds { a: Held, b: Held, c: Held, d: Held, e: Held, f: Held, g: Held, h: Held } //#stub
fn hold_words(column: u32, w: Words) -> Holds { return Holds(); } //#stub
fn hold_sample(held: Held, place: u32) -> Held { return Held(held.nan + place); } //#stub
struct Terms { nan: u32 } //#stub
fn plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub
fn word(i: u32, held: Held) -> Terms { return Terms(i + held.nan); } //#stub
fn put(at: u32, sum: Terms) { _ = at + sum.nan; } //#stub
const WIDTH: u32 = 4u; //#stub
const WORDS: u32 = 8u; //#stub
struct Args { row: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, chunk: u32, tile: u32, tiles: u32, tiles_magic: u32, tiles_shift: u32, first: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

struct Sums { a: Terms, b: Terms, c: Terms, d: Terms, e: Terms, f: Terms, g: Terms, h: Terms }

// A word of a sample, or a channel's elements there.
fn at_place(place: u32, held: Held) -> Terms {
    let all = hold_sample(held, WIDTH * place);
    if WIDTH == 4u {
        return word(place, all);
    }
    var sum = Terms();
    for (var k = 0u; k < args.inner; k += 1u) {
        sum = plus(sum, word(place * args.inner + k, all));
    }
    return sum;
}

fn add_words(old: Sums, place: u32, w: Words, holds: Holds) -> Sums {
    var sums = old;
    if w.count > 0u { sums.a = plus(sums.a, at_place(place, holds.a)); }
    if WORDS > 1u {
        if w.count > 1u { sums.b = plus(sums.b, at_place(place + w.apart, holds.b)); }
    }
    if WORDS > 2u {
        if w.count > 2u { sums.c = plus(sums.c, at_place(place + 2u * w.apart, holds.c)); }
        if w.count > 3u { sums.d = plus(sums.d, at_place(place + 3u * w.apart, holds.d)); }
    }
    if WORDS > 4u {
        if w.count > 4u { sums.e = plus(sums.e, at_place(place + 4u * w.apart, holds.e)); }
        if w.count > 5u { sums.f = plus(sums.f, at_place(place + 5u * w.apart, holds.f)); }
        if w.count > 6u { sums.g = plus(sums.g, at_place(place + 6u * w.apart, holds.g)); }
        if w.count > 7u { sums.h = plus(sums.h, at_place(place + 7u * w.apart, holds.h)); }
    }
    return sums;
}

// What each lane has summed of each of its words.
var<workgroup> shares: array<Terms, 64u * WORDS>;

fn share(at: u32, part: Terms) {
    shares[at] = plus(shares[at], part);
}

fn share_words(lane: u32, part: Sums) {
    share(lane, part.a);
    if WORDS > 1u {
        share(lane + 64u, part.b);
    }
    if WORDS > 2u {
        share(lane + 128u, part.c);
        share(lane + 192u, part.d);
    }
    if WORDS > 4u {
        share(lane + 256u, part.e);
        share(lane + 320u, part.f);
        share(lane + 384u, part.g);
        share(lane + 448u, part.h);
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    if group >= args.groups {
        return;
    }
    let block = m_divide(group, args.tiles_magic, args.tiles_shift);
    // Lanes that go through a sample together: 8, with an eighth of the block's samples, or all 64.
    let apart = args.tile / WORDS;
    let tile = group - block * args.tiles;
    let column = tile * args.tile + lane % apart;
    let missing = args.channels - min(column, args.channels);
    let w = Words(min((missing + apart - 1u) / apart, WORDS), apart);
    let holds = hold_words(column, w);
    let samples = (args.block * apart + 63u) / 64u;
    let stop = min((block + 1u) * args.block, args.outer);
    let begin = min(block * args.block + lane / apart * samples, stop);
    let end = min(begin + samples, stop);
    for (var k = 0u; k < WORDS; k += 1u) {
        shares[64u * k + lane] = Terms();
    }
    for (var chunk = begin; chunk < end; chunk += args.chunk) {
        var part = Sums();
        for (var sample = chunk; sample < min(chunk + args.chunk, end); sample += 1u) {
            part = add_words(part, sample * args.channels + column, w, holds);
        }
        share_words(lane, part);
    }
    workgroupBarrier();
    // The lanes now have a word of the tile each, one after another.
    let here = min(args.channels - tile * args.tile, args.tile);
    for (var i = lane; i < here; i += 64u) {
        let at = i / apart * 64u + i % apart;
        var sum = shares[at];
        for (var other = apart; other < 64u; other += apart) {
            sum = plus(sum, shares[at + other]);
        }
        put(WIDTH * (args.first + block * args.channels + tile * args.tile + i), sum);
    }
}
