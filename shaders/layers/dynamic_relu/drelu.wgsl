// What the first small layer's values get of their gradients: none where relu made them zero.
struct Args { narrowed: u32, dnarrowed: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(2) var<storage, read_write> scratch: array<f32>; //#bind

fn fc2_inputs_put(i: u32, v: f32) {
    scratch[args.dnarrowed + i] = select(v, 0.0, saved[args.narrowed + i] <= 0.0);
}
