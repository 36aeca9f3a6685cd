// The dense layer `it`: from `given`, `inputs` values a sample, it makes `outputs` values, and `it_put` says what becomes of
// each. i goes through samples, and within each through its outputs.
//#use layers/small/sum.wgsl as it
fn it_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
fn it_put(i: u32, v: f32) { _ = v + f32(i); } //#stub
struct Args { it_weight: u32, it_bias: u32, given: u32, inputs: u32, outputs: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> saved: array<f32>; //#bind

// At a the weights of one output begin, at b the values of one sample.
fn it_term(k: u32, a: u32, b: u32) -> f32 {
    return parameters[a + k] * saved[b + k];
}

fn it_step(i: u32) {
    let n = i / args.outputs;
    let o = i - n * args.outputs;
    let v = it_sum(args.inputs, args.it_weight + o * args.inputs, args.given + n * args.inputs);
    it_put(i, v + parameters[args.it_bias + o]);
}
