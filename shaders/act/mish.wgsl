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

// The derivative is n / d with d the denominator above squared and n a polynomial in q and x. Taking
// out a constant, b + (n - b d) / d, leaves less of the rounding: 1 above zero, 3/8 down to -1. Further
// down lies the root, at -1.19, where 4 + 4 x is exact and no constant must be in the way.
fn act_mish_dx(x: f32) -> f32 {
    let bounded = clamp(x, -MISH_END, MISH_END);
    let e = m_exp(-abs(bounded), 0.0);
    let q = m_exp_value(e);
    let square = q * q;
    let slope = 4.0 * bounded;
    let down = x < 0.0;
    let b = select(select(0.0, 0.375, x > -1.0), 1.0, !down);
    let above = square * ((slope - 2.0) + q * ((slope - 4.0) - 4.0 * q));
    let below = (4.0 - 4.0 * b + slope)
        + (q * (6.0 - 8.0 * b + slope) + square * (4.0 - 8.0 * b + q * (1.0 - 4.0 * b - b * q)));
    let inner = 8.0 + q * (select(8.0, 4.0, down) + select(4.0, 1.0, down) * q);
    let d = select(1.0, 4.0, down) + (select(4.0, 8.0, down) * q + square * inner);
    let v = b + select(above, below, down) / d;
    return select(v, m_exp_times(e, v), down);
}
