//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return (n * magic) >> shift; } //#stub
struct Args { it: u32, row_magic_it: u32, row_shift_it: u32, gap_it: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// `it`, an operand that lies in rows with gaps between them.
fn at_it(i: u32) -> u32 {
    return args.it + i + m_divide(i, args.row_magic_it, args.row_shift_it) * args.gap_it;
}
