//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return (n * magic) >> shift; } //#stub
const WIDTH: u32 = 4u; //#stub
struct Args { start: u32, it: u32, channels_it: u32, inner_magic_it: u32, inner_shift_it: u32, channels_magic_it: u32, channels_shift_it: u32, period_magic_it: u32, period_shift_it: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// `it`, an operand with a value for each channel, and others for each of some samples.
fn at_it(i: u32) -> u32 {
    let first = args.start + WIDTH * i;
    let row = m_divide(first, args.inner_magic_it, args.inner_shift_it);
    let sample = m_divide(row, args.channels_magic_it, args.channels_shift_it);
    let period = m_divide(first, args.period_magic_it, args.period_shift_it);
    return args.it + row - args.channels_it * (sample - period);
}
