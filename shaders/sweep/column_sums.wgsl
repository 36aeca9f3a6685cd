// Where channels lie beside each other, and gradients are summed: a workgroup has a tile of the channels, in the samples of one
// block. All its lanes, or eight with a share of the samples, go through a sample together. Each has WORDS words of every sample,
// as many apart as there are such lanes: so they read it as it lies in memory. The words' values are loaded once, before the
// first sample. On a GPU a lane has one word. A processor runs eight lanes or so at a time: with one word they would go down a
// column, and come by each page of memory again and again; with eight words they read 1 KiB at a time, and take a fifth of
// the time.
// No running sum is long: terms of a chunk of samples are added to a part, parts to a total; then the shares' totals are
// added up, which leaves one partial sum of each gradient for each channel.
//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
struct Held { nan: u32 } //#stub
fn hold(channel: u32) -> Held { return Held(channel); } //#stub
fn hold_sample(held: Held, place: u32) -> Held { return Held(held.nan + place); } //#stub
struct Terms { nan: u32 } //#stub
fn plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub
fn word(i: u32, held: Held) -> Terms { return Terms(i + held.nan); } //#stub
fn put(at: u32, sum: Terms) { _ = at + sum.nan; } //#stub
const WIDTH: u32 = 4u; //#stub
const WORDS: u32 = 8u; //#stub
struct Args { row: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, chunk: u32, tile: u32, tiles: u32, tiles_magic: u32, tiles_shift: u32, first: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// What a lane has of each of its words: WORDS of these count.
struct Holds { a: Held, b: Held, c: Held, d: Held, e: Held, f: Held, g: Held, h: Held }
struct Sums { a: Terms, b: Terms, c: Terms, d: Terms, e: Terms, f: Terms, g: Terms, h: Terms }

// A lane's words: how many, and how far apart.
struct Words { count: u32, apart: u32 }

fn hold_words(column: u32, w: Words) -> Holds {
    var holds: Holds;
    if w.count > 0u { holds.a = hold(WIDTH * column); }
    if WORDS > 1u {
        if w.count > 1u { holds.b = hold(WIDTH * (column + w.apart)); }
    }
    if WORDS > 2u {
        if w.count > 2u { holds.c = hold(WIDTH * (column + 2u * w.apart)); }
        if w.count > 3u { holds.d = hold(WIDTH * (column + 3u * w.apart)); }
    }
    if WORDS > 4u {
        if w.count > 4u { holds.e = hold(WIDTH * (column + 4u * w.apart)); }
        if w.count > 5u { holds.f = hold(WIDTH * (column + 5u * w.apart)); }
        if w.count > 6u { holds.g = hold(WIDTH * (column + 6u * w.apart)); }
        if w.count > 7u { holds.h = hold(WIDTH * (column + 7u * w.apart)); }
    }
    return holds;
}

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

fn plus_words(x: Sums, y: Sums) -> Sums {
    var sums: Sums;
    sums.a = plus(x.a, y.a);
    if WORDS > 1u {
        sums.b = plus(x.b, y.b);
    }
    if WORDS > 2u {
        sums.c = plus(x.c, y.c);
        sums.d = plus(x.d, y.d);
    }
    if WORDS > 4u {
        sums.e = plus(x.e, y.e);
        sums.f = plus(x.f, y.f);
        sums.g = plus(x.g, y.g);
        sums.h = plus(x.h, y.h);
    }
    return sums;
}

// What each lane has of each of its words.
var<workgroup> shares: array<Terms, 64u * WORDS>;

fn share_words(lane: u32, sums: Sums) {
    shares[lane] = sums.a;
    if WORDS > 1u {
        shares[lane + 64u] = sums.b;
    }
    if WORDS > 2u {
        shares[lane + 128u] = sums.c;
        shares[lane + 192u] = sums.d;
    }
    if WORDS > 4u {
        shares[lane + 256u] = sums.e;
        shares[lane + 320u] = sums.f;
        shares[lane + 384u] = sums.g;
        shares[lane + 448u] = sums.h;
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
    let share = (args.block * apart + 63u) / 64u;
    let stop = min((block + 1u) * args.block, args.outer);
    let begin = min(block * args.block + lane / apart * share, stop);
    let end = min(begin + share, stop);
    var total = Sums();
    for (var chunk = begin; chunk < end; chunk += args.chunk) {
        var part = Sums();
        for (var sample = chunk; sample < min(chunk + args.chunk, end); sample += 1u) {
            part = add_words(part, sample * args.channels + column, w, holds);
        }
        total = plus_words(total, part);
    }
    share_words(lane, total);
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
