fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read> memory: array<vec2<u32>>; //#stub

// The i-th four elements of `it`, 16 bits each.
fn word_it(i: u32) -> vec4<u32> {
    let w = memory[at_it(i)];
    return vec4(w.x & 0xffffu, w.x >> 16u, w.y & 0xffffu, w.y >> 16u);
}

// One of these four.
fn one_of_it(i: u32, lane: u32) -> u32 {
    let w = memory[at_it(i)];
    return (w[lane >> 1u] >> (16u * (lane & 1u))) & 0xffffu;
}
