//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return (n * magic) >> shift; } //#stub
fn at_it(i: u32) -> u32 { return i; } //#stub
fn store(at: u32, e: u32, low: bool, high: bool) { _ = at + e + u32(low) + u32(high); } //#stub
struct Args { len: u32, row_it: u32, row_magic_it: u32, row_shift_it: u32 } //#stub
@group(0) @binding(1) var<uniform> args: Args; //#stub

// The i-th element of a row of `it`, 16 bits long, with the next if the two share 32 bits, so that no two invocations write to
// one place: what is beside a row in its first or last 32 bits is not this operand's.
fn word(i: u32) {
    if i >= args.len {
        return;
    }
    let in_row = i - args.row_it * m_divide(i, args.row_magic_it, args.row_shift_it);
    let at = at_it(i);
    let low = (at & 1u) == 0u;
    if !low & (in_row > 0u) {
        return;
    }
    let high = !low | (in_row + 1u < args.row_it);
    store(at >> 1u, select(i - 1u, i, low), low, high);
}
