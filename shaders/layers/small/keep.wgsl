// What a step `it` has made is kept as it is, in region `region` of `buffer`.
struct Args { region: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> buffer: array<f32>; //#bind

fn it_put(i: u32, v: f32) {
    buffer[args.region + i] = v;
}
