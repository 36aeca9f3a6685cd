//#use slots/pairs.wgsl
fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read> memory: array<vec4<u32>>; //#stub
struct Pairs { even: vec4<u32>, odd: vec4<u32> } //#stub

// The i-th four pairs of elements, 32 bits each, of `it` and of the operand that it alternates with.
fn pairs_it(i: u32) -> Pairs {
    let low = memory[at_it(i)];
    let high = memory[at_it(i) + 1u];
    return Pairs(vec4(low.xz, high.xz), vec4(low.yw, high.yw));
}
