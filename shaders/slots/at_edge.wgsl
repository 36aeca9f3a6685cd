//#use math/divide.wgsl
//#use slots/edge.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return (n * magic) >> shift; } //#stub
struct Edge { channel: u32, next: u32, left: u32 } //#stub
struct Args { start: u32, inner_it: u32, channels_it: u32, inner_magic_it: u32, inner_shift_it: u32, channels_magic_it: u32, channels_shift_it: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// `it`, an operand with a value for each channel, where channels may begin within a word.
fn at_it(i: u32) -> Edge {
    let first = args.start + 4u * i;
    let row = m_divide(first, args.inner_magic_it, args.inner_shift_it);
    let sample = m_divide(row, args.channels_magic_it, args.channels_shift_it);
    let channel = row - args.channels_it * sample;
    let next = select(channel + 1u, 0u, channel + 1u == args.channels_it);
    return Edge(channel, next, (row + 1u) * args.inner_it - first);
}
