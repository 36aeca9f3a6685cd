// The gradient `it` is zero: of a bias that a norm which trains, or a softmax, takes away again.
struct Args { it: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; //#bind

fn it_step(i: u32) {
    gradients[args.it + i] = 0.0;
}
