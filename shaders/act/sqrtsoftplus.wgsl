//#use math/exp.wgsl
//#use math/log1p.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub
fn m_log1p_ratio(q: f32) -> f32 { return q; } //#stub

// With q = e^-|x|: the root of x + log(1 + q) above zero; below, where log(1 + q) is q times a ratio, e^(x / 2) times the
// ratio's root.
fn act_sqrtsoftplus(x: f32) -> f32 {
    let q = m_exp_value(m_exp(-min(abs(x), 250.0), 0.0));
    let ratio = m_log1p_ratio(q);
    let up = sqrt(clamp(x, 0.0, 3.4028234e38) + q * ratio);
    let down = m_exp_times(m_exp(clamp(0.5 * x, -250.0, 0.0), 0.0), sqrt(ratio));
    return select(select(up, x, x > 3.4028234e38), down, x < 0.0);
}

// The logistic function of x over twice the value.
fn act_sqrtsoftplus_dx(x: f32) -> f32 {
    let q = m_exp_value(m_exp(-min(abs(x), 250.0), 0.0));
    let ratio = m_log1p_ratio(q);
    let half = 0.5 / (1.0 + q);
    let up = half / sqrt(clamp(x, 0.0, 3.4028234e38) + q * ratio);
    let down = m_exp_times(m_exp(clamp(0.5 * x, -250.0, 0.0), 0.0), half / sqrt(ratio));
    return select(select(up, 0.0, x > 3.4028234e38), down, x < 0.0);
}
