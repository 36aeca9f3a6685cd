// Writes each word of an image, where the channels of a place lie beside each other (NHWC).
//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
alias Held = u32; //#stub
fn hold(n: u32, c: u32) -> Held { return n + c; } //#stub
fn write(i: u32, held: Held, place: u32) { _ = i + held + place; } //#stub
const CHANNELS_COUNT: u32 = 4u; //#stub
struct Args { row: u32, words: u32, units: u32, units_magic: u32, units_shift: u32, places_magic: u32, places_shift: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) at: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (at.y * args.row + at.x) * 256u + lane;
    if i >= args.words {
        return;
    }
    let place = m_divide(i, args.units_magic, args.units_shift);
    let n = m_divide(place, args.places_magic, args.places_shift);
    let c = (i - place * args.units) * CHANNELS_COUNT;
    write(i, hold(n, c), place);
}
