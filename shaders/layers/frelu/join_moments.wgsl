// Joins what workgroups found of mean and spread, and renews the running statistics: an invocation for each channel.
struct Args { row: u32, channels: u32, moments_parts: u32, moments_blocks: u32, mean: u32, inverse: u32, running_mean: u32, running_var: u32, eps: f32, momentum: f32, share: f32, unbiased: f32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> parameters: array<f32>; //#bind
@group(0) @binding(2) var<storage, read_write> saved: array<f32>; //#bind
@group(0) @binding(3) var<storage, read> scratch: array<f32>; //#bind
alias C = f32; //#stub
fn bias_of(c: u32) -> C { return C(c); } //#stub
override WINDOW_FIRST: u32 = 0u; // The number of the window's count among all values; mean and spread are behind it.

// Where the blocks' values of channel c begin.
fn values(value: u32, c: u32) -> u32 {
    return args.moments_parts + ((WINDOW_FIRST + value) * args.channels + c) * args.moments_blocks;
}

// The sum of count (mean - base), in parts as in partial_sum.
fn off_sum(c: u32, base: f32) -> f32 {
    let counts = values(0u, c);
    let means = values(1u, c);
    var sum = 0.0;
    for (var begin = 0u; begin < args.moments_blocks; begin += 32u) {
        let end = min(begin + 32u, args.moments_blocks);
        var part = 0.0;
        for (var k = begin; k < end; k += 1u) {
            part += (scratch[means + k] - base) * scratch[counts + k];
        }
        sum += part;
    }
    return sum;
}

// The spread around the mean of all.
fn spread_sum(c: u32, mean: f32) -> f32 {
    let counts = values(0u, c);
    let means = values(1u, c);
    let spreads = values(2u, c);
    var sum = 0.0;
    for (var begin = 0u; begin < args.moments_blocks; begin += 32u) {
        let end = min(begin + 32u, args.moments_blocks);
        var part = 0.0;
        for (var k = begin; k < end; k += 1u) {
            let apart = scratch[means + k] - mean;
            part += scratch[spreads + k] + apart * apart * scratch[counts + k];
        }
        sum += part;
    }
    return sum;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = (at.y * args.row + at.x) * 256u + lane;
    if c >= args.channels {
        return;
    }
    let base = scratch[values(1u, c)];
    let mean = base + off_sum(c, base) * args.share;
    let variance = spread_sum(c, mean) * args.share;
    saved[args.mean + c] = mean;
    saved[args.inverse + c] = 1.0 / sqrt(variance + args.eps);
    let old_mean = parameters[args.running_mean + c];
    let old_var = parameters[args.running_var + c];
    parameters[args.running_mean + c] = old_mean + args.momentum * ((mean + bias_of(c)) - old_mean);
    parameters[args.running_var + c] = old_var + args.momentum * (variance * args.unbiased - old_var);
}
