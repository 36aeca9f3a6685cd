fn at_it(i: u32) -> u32 { return i; } //#stub
fn store(at: u32, e: u32, low: bool, high: bool) { _ = at + e + u32(low) + u32(high); } //#stub
struct Args { len: u32, it: u32 } //#stub
@group(0) @binding(1) var<uniform> args: Args; //#stub

// The two elements of `it`, 16 bits each, that share the i-th 32 bits, so that no two invocations write to one place. Where the
// offset is odd, the first element is the upper half of its 32 bits: `e` wraps below zero then. Rows begin at whole 32 bits.
fn word(i: u32) {
    let e = 2u * i - (args.it & 1u);
    let low = e < args.len;
    let high = e + 1u < args.len;
    if !(low | high) {
        return;
    }
    store(at_it(e) >> 1u, e, low, high);
}
