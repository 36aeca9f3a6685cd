// The gradients of a norm's weight and bias.
struct Args { d_bn_weight: u32, d_bn_bias: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>; //#bind
fn channel_sum(value: u32, c: u32) -> f32 { return f32(value + c); } //#stub
override NORM_FIRST: u32 = 0u; //#stub
override BN_FIRST: u32 = 1u; // The number of the products with this norm's hats among all sums.

fn bn_gradients(c: u32) {
    gradients[args.d_bn_bias + c] = channel_sum(NORM_FIRST, c);
    gradients[args.d_bn_weight + c] = channel_sum(BN_FIRST, c);
}
