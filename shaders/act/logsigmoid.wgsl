//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
//#use math/expm1.wgsl
//#use math/log1p.wgsl
//#use math/sigmoid.wgsl
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub
fn m_log1p_ratio(q: f32) -> f32 { return q; } //#stub
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub

// min(x, 0) - log(1 + e^-|x|)
fn act_logsigmoid(x: f32) -> f32 {
    let e = m_exp(-min(abs(x), 250.0), 0.0);
    let q = m_exp_value(e);
    let ratio = m_log1p_ratio(q);
    return select(x - q * ratio, -m_exp_times(e, ratio), x > 0.0);
}

fn act_logsigmoid_dx(x: f32) -> f32 {
    return m_times_sigmoid(1.0, -x);
}

// 1 - e^y
fn act_logsigmoid_dx_from_y(y: f32) -> f32 {
    return -m_expm1(m_exp(clamp(y, -250.0, 0.0), 0.0));
}
