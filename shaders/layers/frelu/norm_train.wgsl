// A batch norm in training: mean and variance are the batch's, of the convolutions without their bias, which the mean
// would take away again.
//#use layers/frelu/norm.wgsl
alias C = f32; //#stub
struct Args { bn_weight: u32, bn_bias: u32, mean: u32, inverse: u32, d_bn_weight: u32, d_bn_bias: u32, share: f32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Back { factor: C, mean: C, variance: C } //#stub
fn parameters_of(at: u32, stride: u32) -> C { return C(f32(at + stride)); } //#stub
fn saved_of(at: u32, stride: u32) -> C { return C(f32(at + stride)); } //#stub
fn gradients_of(at: u32, stride: u32) -> C { return C(f32(at + stride)); } //#stub

fn bn_of(c: u32) -> Norm {
    return Norm(
        saved_of(args.mean + c, 1u),
        saved_of(args.inverse + c, 1u),
        parameters_of(args.bn_weight + c, 1u),
        parameters_of(args.bn_bias + c, 1u),
    );
}

// The norm's gradients are sums over the batch, and `share` is one convolution's part of it.
fn bn_back(c: u32, n: Norm) -> Back {
    let mean = -gradients_of(args.d_bn_bias + c, 1u) * args.share;
    let variance = -gradients_of(args.d_bn_weight + c, 1u) * args.share;
    return Back(n.gain * n.scale, mean, variance);
}
