fn at_it(i: u32) -> u32 { return i; } //#stub
fn again(i: u32, lane: u32) -> u32 { return i + lane; } //#stub
@group(0) @binding(0) var<storage, read_write> memory: array<vec2<u32>>; //#stub

// Evaluates an element of `it`'s i-th word again, and stores it.
fn settle(i: u32, lane: u32) {
    let exact = again(i, lane);
    let at = at_it(i);
    let shift = 16u * (lane & 1u);
    let kept = memory[at];
    let changed = (kept & vec2(0xffff0000u >> shift)) | vec2(exact << shift);
    memory[at] = select(kept, changed, vec2(0u, 1u) == vec2(lane >> 1u));
}
