// Gradients of the batch norm `it`, from `dvalues`, those of its outputs: of its weights and biases, over all samples, and
// of its inputs, to region `it_dplain`.
//#use layers/small/sum.wgsl as it_weight
//#use layers/small/sum.wgsl as it_bias
fn it_weight_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
fn it_bias_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
struct Args { samples: u32, width: u32, dvalues: u32, it_plain: u32, it_mean: u32, it_inverse: u32, it_weight: u32, it_dplain: u32, gradient_of_weight: u32, gradient_of_bias: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(3) var<storage, read_write> scratch: array<f32>; //#bind
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>; //#bind

// The normalised value.
fn it_hat(i: u32, c: u32) -> f32 {
    return (saved[args.it_plain + i] - saved[args.it_mean + c]) * saved[args.it_inverse + c];
}

fn it_weight_term(n: u32, c: u32, none: u32) -> f32 {
    let i = n * args.width + c;
    return scratch[args.dvalues + i] * it_hat(i, c);
}

fn it_bias_term(n: u32, c: u32, none: u32) -> f32 {
    return scratch[args.dvalues + n * args.width + c];
}

fn it_sums_step(c: u32) {
    gradients[args.gradient_of_bias + c] = it_bias_sum(args.samples, c, 0u);
    gradients[args.gradient_of_weight + c] = it_weight_sum(args.samples, c, 0u);
}

// What an input gets of the gradient d of the value that it became.
fn it_through(i: u32, c: u32, d: f32) {
    scratch[args.it_dplain + i] = d * parameters[args.it_weight + c] * saved[args.it_inverse + c];
}

fn it_trained_step(i: u32) {
    it_through(i, i % args.width, scratch[args.dvalues + i]);
}

// While the norm trains, its mean and variance depend on all samples: each gets back a share of their sums.
fn it_training_step(i: u32) {
    let c = i % args.width;
    let all = gradients[args.gradient_of_bias + c] + it_hat(i, c) * gradients[args.gradient_of_weight + c];
    it_through(i, c, scratch[args.dvalues + i] - all / f32(args.samples));
}
