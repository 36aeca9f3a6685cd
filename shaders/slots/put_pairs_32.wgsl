fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read_write> memory: array<vec4<u32>>; //#stub
struct Args { len: u32 } //#stub
@group(0) @binding(1) var<uniform> args: Args; //#stub

// Stores the i-th four pairs of `it` and the operand that it alternates with, 32 bits an element.
fn put_pairs_it(i: u32, even: vec4<u32>, odd: vec4<u32>) {
    let at = at_it(i);
    if args.len - 4u * i < 4u { end_it(at, args.len - 4u * i, even, odd); return; } //#if ENDS == 1
    memory[at] = vec4(even.x, odd.x, even.y, odd.y);
    memory[at + 1u] = vec4(even.z, odd.z, even.w, odd.w);
}

fn end_it(at: u32, left: u32, even: vec4<u32>, odd: vec4<u32>) {
    memory[at].x = even.x;
    memory[at].y = odd.x;
    if left > 1u {
        memory[at].z = even.y;
        memory[at].w = odd.y;
    }
    if left > 2u {
        memory[at + 1u].x = even.z;
        memory[at + 1u].y = odd.z;
    }
}
