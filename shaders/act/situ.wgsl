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

const SIGMOID_END: f32 = 300.0; //#stub

// tanh(v), from |v| with q = e^(-2 |v|): by q - 1 near zero, where its digits are, and as 1 - 2 q / (1 + q) further out.
fn situ_tanh(v: f32) -> f32 {
    let e = m_exp(-abs(clamp(2.0 * v, -SIGMOID_END, SIGMOID_END)), 0.0);
    let q = m_exp_value(e);
    let m = m_expm1(e);
    let far = q < 0.33;
    let ratio = select(m, 2.0 * q, far) / select(2.0 + m, 1.0 + q, far);
    let t = select(-ratio, 1.0 - ratio, far);
    return select(t, -t, v < 0.0);
}

// beta tanh(v); x where v is so small that it may be flushed.
fn situ_line(x: f32, v: f32, beta: f32) -> f32 {
    return select(beta * situ_tanh(v), x, abs(v) < 1e-5);
}

fn act_situ(x: f32, beta: f32) -> f32 {
    return m_times_sigmoid(situ_line(x, x / beta, beta), x);
}

// tanh'(v) s(x) + beta tanh(v) s'(x), with v = x / beta. With q = e^-|x|, s is 1 / (1 + q) and s' is q / (1 + q)^2; below zero
// s is q / (1 + q), and q is a factor of both terms.
fn act_situ_dx(x: f32, beta: f32) -> f32 {
    let v = x / beta;
    let t = abs(situ_tanh(v));
    let steep = select(m_tanh_derivative(v), 1.0 - t * t, t < 0.5);
    let e = m_exp(-min(abs(x), SIGMOID_END), 0.0);
    let q = m_exp_value(e);
    let down = x < 0.0;
    let line = situ_line(x, v, beta);
    let flat = select(m_exp_times(e, line), line, down);
    let sum = steep / (1.0 + q) + flat / (1.0 + (2.0 * q + q * q));
    return select(sum, m_exp_times(e, sum), down);
}

// (tanh(v) - v tanh'(v)) s(x).
fn act_situ_d_beta(x: f32, beta: f32) -> f32 {
    let v = clamp(x / beta, -300.0, 300.0);
    return m_times_sigmoid(situ_tanh(v) - v * m_tanh_derivative(v), x);
}
