@group(0) @binding(0) var<storage, read_write> memory: array<vec4<u32>>; //#stub

// Stores an element of `it`, the second of its pair, 32 bits long; four pairs begin at a place in `memory`.
fn lane_it(at: u32, lane: u32, e: u32) {
    memory[at + (lane >> 1u)][2u * (lane & 1u) + 1u] = e;
}
