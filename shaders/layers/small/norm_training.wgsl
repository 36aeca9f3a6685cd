// What the batch norm `it` normalises by while it trains: mean and variance over the samples of a batch. The running ones,
// parameters that are written here, move towards them, with the variance's divisor one less.
//#use layers/small/sum.wgsl as it_mean
//#use layers/small/sum.wgsl as it_squares
fn it_mean_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
fn it_squares_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
struct Args { samples: u32, width: u32, it_plain: u32, it_mean: u32, it_inverse: u32, running_mean: u32, running_var: u32, eps: f32, momentum: f32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> parameters: array<f32>; //#bind
@group(0) @binding(2) var<storage, read_write> saved: array<f32>; //#bind

fn it_mean_term(n: u32, first: u32, none: u32) -> f32 {
    return saved[first + n * args.width];
}

fn it_squares_term(n: u32, first: u32, mean: u32) -> f32 {
    let apart = saved[first + n * args.width] - saved[mean];
    return apart * apart;
}

fn it_statistics_step(c: u32) {
    let first = args.it_plain + c;
    let mean = it_mean_sum(args.samples, first, 0u) / f32(args.samples);
    saved[args.it_mean + c] = mean;
    let squares = it_squares_sum(args.samples, first, args.it_mean + c);
    let variance = squares / f32(args.samples);
    saved[args.it_inverse + c] = 1.0 / sqrt(variance + args.eps);
    let old_mean = parameters[args.running_mean + c];
    let old_var = parameters[args.running_var + c];
    let new_var = squares / f32(args.samples - 1u);
    parameters[args.running_mean + c] = old_mean + args.momentum * (mean - old_mean);
    parameters[args.running_var + c] = old_var + args.momentum * (new_var - old_var);
}
