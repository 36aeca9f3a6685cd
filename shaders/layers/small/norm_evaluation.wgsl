// What the batch norm `it` normalises by once it is trained: the running mean and variance.
struct Args { it_mean: u32, it_inverse: u32, running_mean: u32, running_var: u32, eps: f32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(2) var<storage, read_write> saved: array<f32>; //#bind

fn it_statistics_step(c: u32) {
    saved[args.it_mean + c] = parameters[args.running_mean + c];
    saved[args.it_inverse + c] = 1.0 / sqrt(parameters[args.running_var + c] + args.eps);
}
