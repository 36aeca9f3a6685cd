// x * tanh(log(1 + e^x)), as a rational function of q = e^-|x|: x (1 - 2 q^2 / (1 + 2q + 2q^2)) above
// zero, q x (1 - (q + q^2) / (2 + 2q + q^2)) below.
//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub

const MISH_END: f32 = 250.0;

fn act_mish(x: f32) -> f32 {
    let e = m_exp(-min(abs(x), MISH_END), 0.0);
    let q = m_exp_value(e);
    let down = x < 0.0;
    let part = select(2.0 * q, 1.0 + q, down) * q;
    let whole = select(1.0 + 2.0 * (q + q * q), 2.0 + q * (2.0 + q), down);
    let v = x * (1.0 - part / whole);
    return select(v, m_exp_times(e, v), down);
}

// With everything over the denominator squared, the polynomials below zero are those above reversed.
// Near the root, at x = -1.19, 4 (1 + x) is exact.
fn act_mish_dx(x: f32) -> f32 {
    let bounded = clamp(x, -MISH_END, MISH_END);
    let e = m_exp(-abs(bounded), 0.0);
    let q = m_exp_value(e);
    let down = x < 0.0;
    let linear = 4.0 * (1.0 + bounded);
    let middle = 4.0 * bounded + 6.0;
    var n = select(linear, 1.0, down);
    n = n * q + select(middle, 4.0, down);
    n = n * q + select(4.0, middle, down);
    n = n * q + select(1.0, linear, down);
    var d = select(4.0, 1.0, down);
    d = d * q + select(8.0, 4.0, down);
    d = d * q + 8.0;
    d = d * q + select(4.0, 8.0, down);
    d = d * q + select(1.0, 4.0, down);
    let v = n / d;
    return select(v, m_exp_times(e, v), down);
}
