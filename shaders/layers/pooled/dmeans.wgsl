// What an element of x gets of its mean's gradient: as much as each of the plane's.
struct Args { places: u32, dmeans: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>; //#bind

fn fc1_inputs_put(i: u32, v: f32) {
    scratch[args.dmeans + i] = v / f32(args.places);
}
