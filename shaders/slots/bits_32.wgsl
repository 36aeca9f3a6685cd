@group(0) @binding(0) var<storage, read> memory: array<u32>; //#stub

// One element of `it`, 32 bits long, at a place in `memory`.
fn bits_it(at: u32) -> u32 {
    return memory[at];
}
