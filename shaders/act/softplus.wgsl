//#use math/exp.wgsl
//#use math/expm1.wgsl
//#use math/log1p.wgsl
//#use math/sigmoid.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub
fn m_log1p_ratio(q: f32) -> f32 { return q; } //#stub
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub

// log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), z = beta * x
fn act_softplus(x: f32, beta: f32, threshold: f32) -> f32 {
    let z = beta * x;
    let e = m_exp(-min(abs(z), 250.0), 0.0);
    let q = m_exp_value(e);
    let ratio = m_log1p_ratio(q);
    let v = select(z + q * ratio, ratio, z < 0.0) / beta;
    return select(select(v, m_exp_times(e, v), z < 0.0), x, z > threshold);
}

fn act_softplus_dx(x: f32, beta: f32, threshold: f32) -> f32 {
    let z = beta * x;
    return select(m_times_sigmoid(1.0, z), 1.0, z > threshold);
}

// 1 - e^(-beta y), which is 1 in f32 where a threshold may lie.
fn act_softplus_dx_from_y(y: f32, beta: f32, threshold: f32) -> f32 {
    return -m_expm1(m_exp(clamp(-beta * y, -250.0, 0.0), 0.0));
}

fn act_softplus_d2x(x: f32, beta: f32, threshold: f32) -> f32 {
    let z = beta * x;
    let e = m_exp(-min(abs(z), 250.0), 0.0);
    let q = m_exp_value(e);
    return select(m_exp_times(e, beta / (1.0 + q * (2.0 + q))), 0.0, z > threshold);
}
