fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read_write> memory: array<atomic<u32>>; //#stub

// Stores an element of `it`, 16 bits long. The other half of the 32 bits may be another lane's.
fn put_it(i: u32, e: u32) {
    let at = at_it(i);
    let shift = 16u * (at & 1u);
    atomicAnd(&memory[at >> 1u], 0xffff0000u >> shift);
    atomicOr(&memory[at >> 1u], e << shift);
}
