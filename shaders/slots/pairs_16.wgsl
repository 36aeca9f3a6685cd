//#use slots/pairs.wgsl
fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read> memory: array<vec4<u32>>; //#stub
struct Pairs { even: vec4<u32>, odd: vec4<u32> } //#stub

// The i-th four pairs of elements, 16 bits each, of `it` and of the operand that it alternates with.
fn pairs_it(i: u32) -> Pairs {
    let w = memory[at_it(i)];
    return Pairs(w & vec4(0xffffu), w >> vec4(16u));
}
