// What becomes of q, the last small layer's value, of which backward needs the derivative: beta = 1 / (1 + e^-q).
//#use math/sigmoid.wgsl
//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub
const SIGMOID_END: f32 = 300.0; //#stub
struct Args { q: u32, beta: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
@group(0) @binding(1) var<storage, read_write> saved: array<f32>; //#bind

fn it_put(i: u32, q: f32) {
    saved[args.q + i] = q;
    let e = m_exp_value(m_exp(-min(abs(q), SIGMOID_END), 0.0));
    // Below zero, beta may be smaller than e can say.
    saved[args.beta + i] = select(1.0 / (1.0 + e), m_times_sigmoid(1.0, q), q < 0.0);
}
