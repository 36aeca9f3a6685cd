// Where channels lie beside each other, and gradients are summed: an invocation has a channel, or the four of a word, in the
// samples of one block, loads its values once for all of them, and leaves one partial sum of each gradient, or four
// beside each other. No running sum is long: terms of a chunk of samples are added to a part, parts to the total.
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
struct Args { row: u32, groups: u32, outer: u32, channels: u32, inner: u32, block: u32, chunk: u32, tiles: u32, tiles_magic: u32, tiles_shift: u32, first: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    let block = m_divide(group, args.tiles_magic, args.tiles_shift);
    let column = (group - block * args.tiles) * 64u + lane;
    if (group >= args.groups) | (column >= args.channels) {
        return;
    }
    let held = hold(WIDTH * column);
    let begin = block * args.block;
    let end = min(begin + args.block, args.outer);
    var total = Terms();
    for (var chunk = begin; chunk < end; chunk += args.chunk) {
        var part = Terms();
        for (var sample = chunk; sample < min(chunk + args.chunk, end); sample += 1u) {
            let place = sample * args.channels + column;
            let all = hold_sample(held, WIDTH * place);
            if WIDTH == 4u {
                part = plus(part, word(place, all));
            } else {
                for (var k = 0u; k < args.inner; k += 1u) {
                    part = plus(part, word(place * args.inner + k, all));
                }
            }
        }
        total = plus(total, part);
    }
    put(WIDTH * (args.first + block * args.channels + column), total);
}
