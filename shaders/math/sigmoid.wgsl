// Products with the logistic function s(z) = 1 / (1 + e^-z), from q = e^-|z|, so that nothing
// overflows and both tails keep their digits: s = 1 / (1 + q) for z >= 0, q / (1 + q) below.
//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub

// At |z| = 250 the product with any f32 has long reached its limit.
const SIGMOID_END: f32 = 250.0;

// x * s(z). Below z = -64, q leaves the range of f32 before the product does.
fn m_times_sigmoid(x: f32, z: f32) -> f32 {
    let e = m_exp(-min(abs(z), SIGMOID_END), 0.0);
    let q = m_exp_value(e);
    let r = 1.0 / (1.0 + q);
    let y = x * select(r, q * r, z < 0.0);
    // Halved, so that a product with the largest x stays finite.
    return select(y, m_exp_times(Exp(e.s, e.k + 1), x * (0.5 * r)), z < -64.0);
}

// The derivative of z * s(z): s (1 + z (1 - s)), over the common denominator (1 + q)^2. Near its root,
// at z = -1.28, 1 + z is exact.
fn m_swish_derivative(z: f32) -> f32 {
    let bounded = clamp(z, -SIGMOID_END, SIGMOID_END);
    let e = m_exp(-abs(bounded), 0.0);
    let q = m_exp_value(e);
    let linear = 1.0 + bounded;
    let v = select(1.0 + q * linear, linear + q, z < 0.0) / (1.0 + q * (2.0 + q));
    return select(v, m_exp_times(e, v), z < 0.0);
}

// The derivative of s: s (1 - s) = q / (1 + q)^2.
fn m_sigmoid_derivative(z: f32) -> f32 {
    let e = m_exp(-min(abs(z), SIGMOID_END), 0.0);
    let q = m_exp_value(e);
    return m_exp_times(e, 1.0 / (1.0 + q * (2.0 + q)));
}
