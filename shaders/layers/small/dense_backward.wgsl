// Gradients of the dense layer `it`, from `dvalues`, those of its outputs: of its weights and biases, over all samples, and
// of `given`, its inputs; `it_inputs_put` says what becomes of each of these.
//#use layers/small/sum.wgsl as it_weight
//#use layers/small/sum.wgsl as it_bias
//#use layers/small/sum.wgsl as it_inputs
fn it_weight_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
fn it_bias_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
fn it_inputs_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
fn it_inputs_put(i: u32, v: f32) { _ = v + f32(i); } //#stub
struct Args { samples: u32, it_weight: u32, gradient_of_weight: u32, gradient_of_bias: u32, dvalues: u32, given: u32, inputs: u32, outputs: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(3) var<storage, read> scratch: array<f32>; //#bind
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>; //#bind

fn it_weight_term(n: u32, output: u32, input: u32) -> f32 {
    return scratch[output + n * args.outputs] * saved[input + n * args.inputs];
}

// i goes through outputs, and within each through its inputs.
fn it_weight_step(i: u32) {
    let o = i / args.inputs;
    let c = i - o * args.inputs;
    let sum = it_weight_sum(args.samples, args.dvalues + o, args.given + c);
    gradients[args.gradient_of_weight + i] = sum;
}

fn it_bias_term(n: u32, output: u32, none: u32) -> f32 {
    return scratch[output + n * args.outputs];
}

fn it_bias_step(o: u32) {
    gradients[args.gradient_of_bias + o] = it_bias_sum(args.samples, args.dvalues + o, 0u);
}

fn it_inputs_term(o: u32, output: u32, weight: u32) -> f32 {
    return scratch[output + o] * parameters[weight + o * args.inputs];
}

// i goes through samples, and within each through its inputs.
fn it_inputs_step(i: u32) {
    let n = i / args.inputs;
    let c = i - n * args.inputs;
    let first = args.dvalues + n * args.outputs;
    it_inputs_put(i, it_inputs_sum(args.outputs, first, args.it_weight + c));
}
