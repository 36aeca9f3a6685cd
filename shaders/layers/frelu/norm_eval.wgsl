// A batch norm in evaluation: mean and variance are the running ones.
//#use layers/frelu/norm.wgsl
alias C = f32; //#stub
struct Args { bn_weight: u32, bn_bias: u32, running_mean: u32, running_var: u32, eps: f32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Back { factor: C, mean: C, variance: C } //#stub
fn parameters_of(at: u32, stride: u32) -> C { return C(f32(at + stride)); } //#stub
fn bias_of(c: u32) -> C { return C(f32(c)); } //#stub

fn bn_of(c: u32) -> Norm {
    return Norm(
        parameters_of(args.running_mean + c, 1u) - bias_of(c),
        C(1.0) / sqrt(parameters_of(args.running_var + c, 1u) + args.eps),
        parameters_of(args.bn_weight + c, 1u),
        parameters_of(args.bn_bias + c, 1u),
    );
}

fn bn_back(c: u32, n: Norm) -> Back {
    return Back(n.gain * n.scale, C(0.0), C(0.0));
}
