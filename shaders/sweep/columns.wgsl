// Where channels lie beside each other, on processors: a workgroup has a tile of the channels, in the samples of one block. Eight
// lanes go through a share of these samples, and read each as it lies in memory.
//#use math/divide.wgsl
//#use sweep/column_words.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
struct Held { nan: u32 } //#stub
struct Words { count: u32, apart: u32 } //#stub
struct Holds { a: Held, b: Held, c: Held, d: Held, e: Held, f: Held, g: Held, h: Held } //#stub
fn hold_words(column: u32, w: Words) -> Holds { return Holds(); } //#stub
fn hold_sample(held: Held, place: u32) -> Held { return Held(held.nan + place); } //#stub
fn word(i: u32, held: Held) { _ = i + held.nan; } //#stub
const WIDTH: u32 = 4u; //#stub
const WORDS: u32 = 8u; //#stub
struct Args { row: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, tile: u32, tiles: u32, tiles_magic: u32, tiles_shift: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// A word of a sample, or a channel's elements there.
fn at_place(place: u32, held: Held) {
    let all = hold_sample(held, WIDTH * place);
    if WIDTH == 4u {
        word(place, all);
    } else {
        for (var k = 0u; k < args.inner; k += 1u) {
            word(place * args.inner + k, all);
        }
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    let block = m_divide(group, args.tiles_magic, args.tiles_shift);
    let column = (group - block * args.tiles) * args.tile + lane % 8u;
    if (group >= args.groups) | (column >= args.channels) {
        return;
    }
    let share = (args.block + 7u) / 8u;
    let stop = min((block + 1u) * args.block, args.outer);
    let begin = block * args.block + lane / 8u * share;
    let end = min(begin + share, stop);
    let w = Words(min((args.channels - column + 7u) / 8u, WORDS), 8u);
    let holds = hold_words(column, w);
    for (var sample = begin; sample < end; sample += 1u) {
        let place = sample * args.channels + column;
        at_place(place, holds.a);
        if w.count > 1u { at_place(place + 8u, holds.b); }
        if w.count > 2u { at_place(place + 16u, holds.c); }
        if w.count > 3u { at_place(place + 24u, holds.d); }
        if w.count > 4u { at_place(place + 32u, holds.e); }
        if w.count > 5u { at_place(place + 40u, holds.f); }
        if w.count > 6u { at_place(place + 48u, holds.g); }
        if w.count > 7u { at_place(place + 56u, holds.h); }
    }
}
