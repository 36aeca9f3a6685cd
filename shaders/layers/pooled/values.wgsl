// The sums over an image's places that a sweep left as partial sums, one of each tile.
//#use layers/partial_sum.wgsl
//#use layers/small/sum.wgsl as over_samples
fn partial_sum(first: u32, count: u32) -> f32 { return f32(first + count); } //#stub
fn over_samples_sum(count: u32, a: u32, b: u32) -> f32 { return f32(count + a + b); } //#stub
struct Args { samples: u32, channels: u32, planes: u32, tiles: u32, partials: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

// The `value`-th sum of a plane, n * channels + c.
fn value_of(value: u32, plane: u32) -> f32 {
    return partial_sum(args.partials + (value * args.planes + plane) * args.tiles, args.tiles);
}

fn over_samples_term(n: u32, value: u32, c: u32) -> f32 {
    return value_of(value, n * args.channels + c);
}

// The same over all samples.
fn value_of_channel(value: u32, c: u32) -> f32 {
    return over_samples_sum(args.samples, value, c);
}
