//#use math/exp.wgsl
//#use math/expm1.wgsl
//#use math/sign.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

fn act_elu(x: f32, alpha: f32) -> f32 {
    let down = alpha * m_expm1(m_exp(clamp(x, -250.0, 0.0), 0.0));
    return select(down, x, m_is_above_zero(x));
}

fn act_elu_dx(x: f32, alpha: f32) -> f32 {
    let down = m_exp_times(m_exp(clamp(x, -250.0, 0.0), 0.0), alpha);
    return select(down, 1.0, m_is_above_zero(x));
}

fn act_elu_dx_from_y(y: f32, alpha: f32) -> f32 {
    return select(y + alpha, 1.0, m_is_above_zero(y));
}

fn act_elu_d_alpha(x: f32, alpha: f32) -> f32 {
    return m_expm1(m_exp(clamp(x, -250.0, 0.0), 0.0));
}

fn act_elu_d2x(x: f32, alpha: f32) -> f32 {
    let down = m_exp_times(m_exp(clamp(x, -250.0, 0.0), 0.0), alpha);
    return select(down, 0.0, m_is_above_zero(x));
}
