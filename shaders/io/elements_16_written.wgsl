// `it`, an operand of `dtype`, 16 bits an element, that is written element by element, at any place. Two elements that
// share 32 bits may belong to two invocations, or one to a neighbour in the buffer, so a half is put in by atomics.
//#use io/elements.wgsl
alias V = f32; //#stub
alias Flags = bool; //#stub
fn dtype_bits(value: f32, nan: bool) -> u32 { return select(bitcast<u32>(value), 0u, nan); } //#stub
struct Args { it_at: u32 } //#args
@group(0) @binding(0) var<storage, read_write> it: array<atomic<u32>>; //#bind
@group(0) @binding(1) var<uniform> args: Args; //#stub

fn it_store(i: u32, v: V, nan: Flags) {
    let e = args.it_at + i;
    let shift = (e & 1u) * 16u;
    atomicAnd(&it[e >> 1u], 0xffff0000u >> shift);
    atomicOr(&it[e >> 1u], dtype_bits(v, nan) << shift);
}
