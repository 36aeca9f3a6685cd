// The gradient `it` of a parameter of channels, the IT_VALUE-th of the sums over places, over all samples.
//#use layers/pooled/values.wgsl
fn value_of_channel(value: u32, c: u32) -> f32 { return f32(value + c); } //#stub
struct Args { it: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; //#bind

override IT_VALUE: u32 = 0u;

fn it_step(i: u32) {
    gradients[args.it + i] = value_of_channel(IT_VALUE, i);
}
