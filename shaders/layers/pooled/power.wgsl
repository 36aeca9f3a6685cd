// e^v for v up to zero.
//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub

fn power_of(v: f32) -> f32 {
    return m_exp_times(m_exp(max(v, -250.0), 0.0), 1.0);
}
