// `it`, an operand of `dtype`, 32 bits an element, that is read four elements at a time.
//#use io/words.wgsl
alias V = vec4<f32>; //#stub
fn dtype_value(bits: u32) -> f32 { return bitcast<f32>(bits); } //#stub
struct Args { it_at: u32 } //#args
@group(0) @binding(0) var<storage, read> it: array<vec4<u32>>; //#bind
@group(0) @binding(1) var<uniform> args: Args; //#stub

fn it_load(i: u32) -> V {
    let w = it[args.it_at + i];
    return V(dtype_value(w.x), dtype_value(w.y), dtype_value(w.z), dtype_value(w.w));
}
