@group(0) @binding(0) var<storage, read_write> memory: array<vec2<u32>>; //#stub

// Stores a word of `it`, 16 bits an element, at a place in `memory`; and what is left of the last one, where an element's
// neighbour in the same 32 bits is written back as it was.
fn all_it(at: u32, e: vec4<u32>) {
    memory[at] = e.xz | (e.yw << vec2(16u));
}

fn end_it(at: u32, left: u32, e: vec4<u32>) {
    if left == 1u {
        memory[at].x = (memory[at].x & 0xffff0000u) | e.x;
    } else {
        memory[at].x = e.x | (e.y << 16u);
    }
    if left == 3u {
        memory[at].y = (memory[at].y & 0xffff0000u) | e.z;
    }
}
