// `it`, an operand of `dtype`, 32 bits an element, that is read element by element.
//#use io/elements.wgsl
alias V = f32; //#stub
fn dtype_value(bits: u32) -> f32 { return bitcast<f32>(bits); } //#stub
struct Args { it_at: u32 } //#args
@group(0) @binding(0) var<storage, read> it: array<u32>; //#bind
@group(0) @binding(1) var<uniform> args: Args; //#stub

fn it_load(i: u32) -> V {
    return dtype_value(it[args.it_at + i]);
}
