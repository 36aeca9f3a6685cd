// Products with the logistic function s(z) = 1 / (1 + e^-z), from q = e^-|z|, so that nothing
// overflows and both tails keep their digits: s = 1 / (1 + q) for z >= 0, q / (1 + q) below.
//#use math/exp.wgsl
//#use math/ldexp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_ldexp(v: f32, k: i32) -> f32 { return v; } //#stub
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

// x times the derivative of z s(z). Below z = -64, where that is (1 + z) e^z, the derivative leaves the
// range of f32 before the product does. The factor 2^-9 keeps the product with the largest x finite.
fn m_times_swish_derivative(x: f32, z: f32) -> f32 {
    let bounded = clamp(z, -SIGMOID_END, SIGMOID_END);
    let e = m_exp(-abs(bounded), 0.0);
    let v = clamp(x, -3.4028234e38, 3.4028234e38) * (0.001953125 * (1.0 + bounded));
    return select(x * m_swish_derivative(z), m_exp_times(Exp(e.s, e.k + 9), v), z < -64.0);
}

// (2 half)^2 a b s(z) (1 - s(z)), a and b alike. The bell s (1 - s) is q / (1 + q)^2, or with less rounding,
// where q is near 1, (1 - t^2) / 4 with t = (1 - q) / (1 + q). Half of q's power of two goes to either
// factor: so the product is right where the square, or q, leaves the range of f32. Beyond |z| = 300
// the product with any square is zero.
fn m_square_bell(half: f32, a: f32, b: f32, z: f32) -> f32 {
    let e = m_exp(-min(abs(z), 300.0), 0.0);
    let q = m_exp_value(e);
    let v = clamp(half * a, -1.7014117e38, 1.7014117e38);
    let w = clamp(half * b, -1.7014117e38, 1.7014117e38) / (1.0 + q * (2.0 + q));
    let k = (e.k + 2) >> 1u;
    let far = m_ldexp(v + v * e.s, k) * m_ldexp(w, e.k + 2 - k);
    let t = (1.0 - q) / (1.0 + q);
    let near = v * (half * (b * (1.0 - t * t)));
    return select(far, near, q > 0.4);
}
