// Where channels lie beside each other, and gradients are summed: eight lanes go through the samples of one block, and each
// leaves one partial sum of each gradient for every channel that it has, or four beside each other. Of a sample a lane has
// WORDS words, eight apart, so that the eight read it as it lies in memory. One word of each sample, down a column, would
// take several times as long where memory is read ahead, as every cache does. The words' values are loaded once, before
// the first sample. No running sum is long: terms of a chunk of samples are added to a part, parts to the total.
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
struct Args { row: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, chunk: u32, tiles: u32, tiles_magic: u32, tiles_shift: u32, first: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// What a lane has of each of its words: WORDS of these count.
struct Holds { a: Held, b: Held, c: Held, d: Held, e: Held, f: Held, g: Held, h: Held }
struct Sums { a: Terms, b: Terms, c: Terms, d: Terms, e: Terms, f: Terms, g: Terms, h: Terms }

// Of `count` words from a column on.
fn hold_words(column: u32, count: u32) -> Holds {
    var holds: Holds;
    holds.a = hold(WIDTH * column);
    if count > 1u { holds.b = hold(WIDTH * (column + 8u)); }
    if count > 2u { holds.c = hold(WIDTH * (column + 16u)); }
    if count > 3u { holds.d = hold(WIDTH * (column + 24u)); }
    if WORDS > 4u {
        if count > 4u { holds.e = hold(WIDTH * (column + 32u)); }
        if count > 5u { holds.f = hold(WIDTH * (column + 40u)); }
        if count > 6u { holds.g = hold(WIDTH * (column + 48u)); }
        if count > 7u { holds.h = hold(WIDTH * (column + 56u)); }
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

fn add_words(old: Sums, place: u32, count: u32, holds: Holds) -> Sums {
    var sums = old;
    sums.a = plus(sums.a, at_place(place, holds.a));
    if count > 1u { sums.b = plus(sums.b, at_place(place + 8u, holds.b)); }
    if count > 2u { sums.c = plus(sums.c, at_place(place + 16u, holds.c)); }
    if count > 3u { sums.d = plus(sums.d, at_place(place + 24u, holds.d)); }
    if WORDS > 4u {
        if count > 4u { sums.e = plus(sums.e, at_place(place + 32u, holds.e)); }
        if count > 5u { sums.f = plus(sums.f, at_place(place + 40u, holds.f)); }
        if count > 6u { sums.g = plus(sums.g, at_place(place + 48u, holds.g)); }
        if count > 7u { sums.h = plus(sums.h, at_place(place + 56u, holds.h)); }
    }
    return sums;
}

fn plus_words(x: Sums, y: Sums) -> Sums {
    return Sums(
        plus(x.a, y.a), plus(x.b, y.b), plus(x.c, y.c), plus(x.d, y.d),
        plus(x.e, y.e), plus(x.f, y.f), plus(x.g, y.g), plus(x.h, y.h),
    );
}

fn put_words(at: u32, count: u32, sums: Sums) {
    put(WIDTH * at, sums.a);
    if count > 1u { put(WIDTH * (at + 8u), sums.b); }
    if count > 2u { put(WIDTH * (at + 16u), sums.c); }
    if count > 3u { put(WIDTH * (at + 24u), sums.d); }
    if WORDS > 4u {
        if count > 4u { put(WIDTH * (at + 32u), sums.e); }
        if count > 5u { put(WIDTH * (at + 40u), sums.f); }
        if count > 6u { put(WIDTH * (at + 48u), sums.g); }
        if count > 7u { put(WIDTH * (at + 56u), sums.h); }
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    let eight_blocks = m_divide(group, args.tiles_magic, args.tiles_shift);
    let column = (group - eight_blocks * args.tiles) * (8u * WORDS) + lane % 8u;
    let block = eight_blocks * 8u + lane / 8u;
    let begin = block * args.block;
    if (group >= args.groups) | (column >= args.channels) | (begin >= args.outer) {
        return;
    }
    let count = min((args.channels - column + 7u) / 8u, WORDS);
    let holds = hold_words(column, count);
    let end = min(begin + args.block, args.outer);
    var total = Sums();
    for (var chunk = begin; chunk < end; chunk += args.chunk) {
        var part = Sums();
        for (var sample = chunk; sample < min(chunk + args.chunk, end); sample += 1u) {
            part = add_words(part, sample * args.channels + column, count, holds);
        }
        total = plus_words(total, part);
    }
    put_words(args.first + block * args.channels + column, count, total);
}
