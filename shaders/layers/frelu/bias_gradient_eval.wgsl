// The gradient of a bias before a norm in evaluation.
struct Args { d_bias: u32, bn_weight: u32, running_var: u32, eps: f32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> parameters: array<f32>; //#bind
fn channel_sum(value: u32, c: u32) -> f32 { return f32(value + c); } //#stub
override NORM_FIRST: u32 = 0u; //#stub

fn bias_gradient(c: u32) {
    gradients[args.d_bias + c] = channel_sum(NORM_FIRST, c) * parameters[args.bn_weight + c]
        / sqrt(parameters[args.running_var + c] + args.eps);
}
