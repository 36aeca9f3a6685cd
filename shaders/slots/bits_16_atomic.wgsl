@group(0) @binding(0) var<storage, read_write> memory: array<atomic<u32>>; //#stub

// One element of `it`, 16 bits long, at a place in `memory`, where lanes that know nothing of each other write halves of 32 bits.
fn bits_it(at: u32) -> u32 {
    return (atomicLoad(&memory[at >> 1u]) >> (16u * (at & 1u))) & 0xffffu;
}
