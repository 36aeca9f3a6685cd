fn at_it(i: u32) -> u32 { return i; } //#stub
@group(0) @binding(0) var<storage, read_write> memory: array<vec2<u32>>; //#stub
struct Args { len: u32 } //#stub
@group(0) @binding(1) var<uniform> args: Args; //#stub

// Stores the i-th four elements of `it`, 16 bits each. The last word may reach behind the operand: there only its own
// elements are written, and an element's neighbour in the same 32 bits is written back as it was.
fn put_it(i: u32, e: vec4<u32>) {
    let at = at_it(i);
    if args.len - 4u * i < 4u { end_it(at, args.len - 4u * i, e); return; } //#if ENDS == 1
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
