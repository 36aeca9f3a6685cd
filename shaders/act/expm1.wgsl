//#use math/exp.wgsl
//#use math/expm1.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub

// Beyond x = 88.7228317 both overflow.
fn act_expm1(x: f32) -> f32 {
    let y = m_expm1(m_exp(clamp(x, -250.0, 88.7228317), 0.0));
    return select(y, 3e38 * x, x > 88.7228317);
}

fn act_expm1_dx(x: f32) -> f32 {
    let y = m_exp_times(m_exp(clamp(x, -250.0, 88.7228317), 0.0), 1.0);
    return select(y, 3e38 * x, x > 88.7228317);
}

fn act_expm1_dx_from_y(y: f32) -> f32 {
    return y + 1.0;
}
