//#use math/exp.wgsl
//#use math/expm1.wgsl
//#use math/sigmoid.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub
fn m_tanh_derivative(x: f32) -> f32 { return x; } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub

// tanh(v) = -m / (2 + m) with m = e^(-2 |v|) - 1.
fn situ_tanh(v: f32) -> f32 {
    let m = m_expm1(m_exp(-min(2.0 * abs(v), 250.0), 0.0));
    let t = -m / (2.0 + m);
    return select(t, -t, v < 0.0);
}

// beta tanh(v); x where v is so small that it may be flushed.
fn situ_line(x: f32, v: f32, beta: f32) -> f32 {
    return select(beta * situ_tanh(v), x, abs(v) < 1e-5);
}

fn act_situ(x: f32, beta: f32) -> f32 {
    return m_times_sigmoid(situ_line(x, x / beta, beta), x);
}

// tanh'(v) s(x) + beta tanh(v) s'(x), with v = x / beta and tanh'(v) = 4 s'(2 v), and q2 = e^(-2 |v|) for that. With q = e^-|x|, s is 1 / (1 + q) and s' is
// q / (1 + q)^2; below zero s is q / (1 + q), and q is a factor of both terms.
fn act_situ_dx(x: f32, beta: f32) -> f32 {
    let v = x / beta;
    let e = m_exp(-min(abs(x), 300.0), 0.0);
    let q = m_exp_value(e);
    let e2 = m_exp(-min(2.0 * abs(v), 300.0), 0.0);
    let q2 = m_exp_value(e2);
    let up = m_exp_times(e2, 4.0 / ((1.0 + q2 * (2.0 + q2)) * (1.0 + q)));
    let down = situ_line(x, v, beta) / (1.0 + q * (2.0 + q));
    let far = m_exp_times(e, select(down, up + down, x < 0.0));
    return select(up + far, far, x < 0.0);
}

// (tanh(v) - v tanh'(v)) s(x).
fn act_situ_d_beta(x: f32, beta: f32) -> f32 {
    let v = clamp(x / beta, -300.0, 300.0);
    return m_times_sigmoid(situ_tanh(v) - v * m_tanh_derivative(v), x);
}
