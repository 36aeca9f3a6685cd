// The gradient of q, of which beta is made, from the sums over an image's places.
//#use math/sigmoid.wgsl
//#use layers/pooled/values.wgsl
fn m_sigmoid_derivative(z: f32) -> f32 { return z; } //#stub
fn value_of(value: u32, plane: u32) -> f32 { return f32(value + plane); } //#stub
struct Args { q: u32, dq: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(2) var<storage, read_write> scratch: array<f32>; //#bind

fn dq_step(i: u32) {
    scratch[args.dq + i] = value_of(2u, i) * m_sigmoid_derivative(saved[args.q + i]);
}
