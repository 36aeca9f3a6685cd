@group(0) @binding(0) var<storage, read_write> memory: array<vec4<u32>>; //#stub

// Stores an element of `it`, the first of its pair, 16 bits long; four pairs begin at a place in `memory`.
fn lane_it(at: u32, lane: u32, e: u32) {
    memory[at][lane] = (memory[at][lane] & 0xffff0000u) | e;
}
