// The gradient of a bias before a norm that trains: the mean takes it away again, so it moves nothing.
struct Args { d_bias: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; //#bind

fn bias_gradient(c: u32) {
    gradients[args.d_bias + c] = 0.0;
}
