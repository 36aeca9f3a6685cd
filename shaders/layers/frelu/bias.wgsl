// The bias of a convolution.
alias C = f32; //#stub
struct Args { bias: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
fn parameters_of(at: u32, stride: u32) -> C { return C(f32(at + stride)); } //#stub

fn bias_of(c: u32) -> C {
    return parameters_of(args.bias + c, 1u);
}
