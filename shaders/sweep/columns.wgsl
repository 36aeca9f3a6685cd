// Where channels lie beside each other, on processors: a workgroup has a tile of the channels, 64 words, in the samples of one block. Eight lanes
// go through a share of these samples, and have eight words of each, eight apart, so that they read a sample as it lies in
// memory. The words' values are loaded once for all samples.
//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
struct Held { nan: u32 } //#stub
fn hold(channel: u32) -> Held { return Held(channel); } //#stub
fn hold_sample(held: Held, place: u32) -> Held { return Held(held.nan + place); } //#stub
fn word(i: u32, held: Held) { _ = i + held.nan; } //#stub
const WIDTH: u32 = 4u; //#stub
struct Args { row: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, tiles: u32, tiles_magic: u32, tiles_shift: u32 } //#stub
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
    let column = (group - block * args.tiles) * 64u + lane % 8u;
    if (group >= args.groups) | (column >= args.channels) {
        return;
    }
    let share = (args.block + 7u) / 8u;
    let stop = min((block + 1u) * args.block, args.outer);
    let begin = block * args.block + lane / 8u * share;
    let end = min(begin + share, stop);
    let count = (args.channels - column + 7u) / 8u;
    let a = hold(WIDTH * column);
    var b: Held;
    var c: Held;
    var d: Held;
    var e: Held;
    var f: Held;
    var g: Held;
    var h: Held;
    if count > 1u { b = hold(WIDTH * (column + 8u)); }
    if count > 2u { c = hold(WIDTH * (column + 16u)); }
    if count > 3u { d = hold(WIDTH * (column + 24u)); }
    if count > 4u { e = hold(WIDTH * (column + 32u)); }
    if count > 5u { f = hold(WIDTH * (column + 40u)); }
    if count > 6u { g = hold(WIDTH * (column + 48u)); }
    if count > 7u { h = hold(WIDTH * (column + 56u)); }
    for (var sample = begin; sample < end; sample += 1u) {
        let place = sample * args.channels + column;
        at_place(place, a);
        if count > 1u { at_place(place + 8u, b); }
        if count > 2u { at_place(place + 16u, c); }
        if count > 3u { at_place(place + 24u, d); }
        if count > 4u { at_place(place + 32u, e); }
        if count > 5u { at_place(place + 40u, f); }
        if count > 6u { at_place(place + 48u, g); }
        if count > 7u { at_place(place + 56u, h); }
    }
}
