// `it`, an operand of `dtype`, 32 bits an element, that is written element by element.
//#use io/elements.wgsl
alias V = f32; //#stub
alias Flags = bool; //#stub
fn dtype_bits(value: f32, nan: bool) -> u32 { return select(bitcast<u32>(value), 0u, nan); } //#stub
struct Args { it_at: u32 } //#args
@group(0) @binding(0) var<storage, read_write> it: array<u32>; //#bind
@group(0) @binding(1) var<uniform> args: Args; //#stub

fn it_store(i: u32, v: V, nan: Flags) {
    it[args.it_at + i] = dtype_bits(v, nan);
}
