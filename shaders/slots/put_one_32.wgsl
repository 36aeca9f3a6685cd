fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read_write> memory: array<u32>; //#stub

// Stores an element of `it`, 32 bits long.
fn put_it(i: u32, e: u32) {
    memory[at_it(i)] = e;
}
