//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub

// e^d for d <= 0, and exactly 0 below the smallest normal f32, so that masked columns, of d = -inf, add nothing.
fn exp_down(d: f32) -> f32 {
    return select(m_exp_value(m_exp(max(d, -100.0), 0.0)), 0.0, d < -87.33654);
}
