fn one(i: u32) -> u32 { return i; } //#stub
fn settled_halves(e: u32, found: vec2<u32>) -> vec2<u32> { return found + vec2(e); } //#stub
@group(0) @binding(0) var<storage, read_write> memory: array<u32>; //#stub

// Evaluates the elements `e` and `e + 1`, as far as `low` and `high` say, and stores them in the 32 bits at a place in
// `memory`, whose other half stays.
fn store(at: u32, e: u32, low: bool, high: bool) {
    var halves = vec2(0u);
    if low {
        halves.x = one(e);
    }
    if high {
        halves.y = one(e + 1u);
    }
    halves = settled_halves(e, halves); //#if SETTLES == 1
    var bits = memory[at];
    if low {
        bits = (bits & 0xffff0000u) | halves.x;
    }
    if high {
        bits = (bits & 0xffffu) | (halves.y << 16u);
    }
    memory[at] = bits;
}
