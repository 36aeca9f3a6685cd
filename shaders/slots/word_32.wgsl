fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read> memory: array<vec4<u32>>; //#stub

// The i-th four elements of `it`, 32 bits each.
fn word_it(i: u32) -> vec4<u32> {
    return memory[at_it(i)];
}
