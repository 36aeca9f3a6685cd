// `it`, an operand of `dtype`, 32 bits an element, that is written four elements at a time.
//#use io/words.wgsl
alias V = vec4<f32>; //#stub
alias Flags = vec4<bool>; //#stub
fn dtype_bits(value: f32, nan: bool) -> u32 { return select(bitcast<u32>(value), 0u, nan); } //#stub
struct Args { it_at: u32 } //#args
@group(0) @binding(0) var<storage, read_write> it: array<vec4<u32>>; //#bind
@group(0) @binding(1) var<uniform> args: Args; //#stub

fn it_store(i: u32, v: V, nan: Flags) {
    it[args.it_at + i] = vec4(
        dtype_bits(v.x, nan.x),
        dtype_bits(v.y, nan.y),
        dtype_bits(v.z, nan.z),
        dtype_bits(v.w, nan.w),
    );
}
