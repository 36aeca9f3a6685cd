fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read_write> memory: array<vec4<u32>>; //#stub
struct Args { len: u32 } //#stub
@group(0) @binding(1) var<uniform> args: Args; //#stub

// Stores the i-th four elements of `it`, 32 bits each. The last word may reach behind the operand: there only its own
// elements are written.
fn put_it(i: u32, e: vec4<u32>) {
    let at = at_it(i);
    if args.len - 4u * i < 4u { end_it(at, args.len - 4u * i, e); return; } //#if ENDS == 1
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
