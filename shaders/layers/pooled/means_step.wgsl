// The mean over an image's places, of each sample and channel.
//#use layers/pooled/values.wgsl
fn value_of(value: u32, plane: u32) -> f32 { return f32(value + plane); } //#stub
struct Args { places: u32, means: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> saved: array<f32>; //#bind

fn means_step(i: u32) {
    saved[args.means + i] = value_of(0u, i) / f32(args.places);
}
