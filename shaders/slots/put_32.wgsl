@group(0) @binding(0) var<storage, read_write> memory: array<vec4<u32>>; //#stub

// Stores a word of `it`, 32 bits an element, at a place in `memory`; and what is left of the last one.
fn all_it(at: u32, e: vec4<u32>) {
    memory[at] = e;
}

fn end_it(at: u32, left: u32, e: vec4<u32>) {
    memory[at].x = e.x;
    if left > 1u {
        memory[at].y = e.y;
    }
    if left > 2u {
        memory[at].z = e.z;
    }
}
