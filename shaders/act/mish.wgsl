// x * tanh(log(1 + e^x)), as a rational function of q = e^-|x|, with d half of 2 + 2q + q^2 below zero and of 1 + 2q + 2q^2
// above. Near zero and above, x - x / d and x - x q^2 / d round least; further down x q (1 - r) with r = (q + q^2) / 2d.
//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub

const MISH_END: f32 = 250.0;

fn act_mish(x: f32) -> f32 {
    let bounded = clamp(x, -MISH_END, MISH_END);
    let e = m_exp(-abs(bounded), 0.0);
    let q = m_exp_value(e);
    let square = q * q;
    let down = x < 0.0;
    let deep = x < -0.5;
    let d = select(0.5 + (q + square), 1.0 + (q + 0.5 * square), down);
    let r = select(bounded * select(square, 1.0, down), 0.5 * (q + square), deep) / d;
    // A part of a tiny x could be flushed to zero.
    let near = select(x - r, 0.6 * x, abs(x) < 1e-30);
    return select(near, m_exp_times(e, x * (1.0 - r)), deep);
}

// The derivative is n / d with d the square of twice the d above and n a polynomial in q and x. Written as
// b + (n - b d) / d it keeps less of the rounding: b = 1 above zero, and 1 + x, which is nearly exact,
// below; but between -2 and -1, where the root is, b would be in the way.
fn act_mish_dx(x: f32) -> f32 {
    let bounded = clamp(x, -MISH_END, MISH_END);
    let e = m_exp(-abs(bounded), 0.0);
    let q = m_exp_value(e);
    let square = q * q;
    let slope = 4.0 * bounded;
    let line = 1.0 + bounded;
    let down = x < 0.0;
    let middle = (x > -2.0) & (x < -1.0);

    let above = square * ((slope - 2.0) + q * ((slope - 4.0) - 4.0 * q));
    let below = -q * ((2.0 + slope) * (1.0 + 2.0 * q) + square * ((3.0 + slope) + q * line));
    let whole = 4.0 * line + (q * (6.0 + slope) + square * (4.0 + q));
    let n = select(select(above, below, down), whole, middle);
    let b = select(select(1.0, line, down), 0.0, middle);

    let inner = 8.0 + q * (select(8.0, 4.0, down) + select(4.0, 1.0, down) * q);
    let d = select(1.0, 4.0, down) + (select(4.0, 8.0, down) * q + square * inner);
    let v = b + n / d;
    return select(v, m_exp_times(e, v), down);
}

// With E = e^x and D = E^2 + 2 E + 2: 4 E / D^3 (4 + 8 E + 6 E^2 + 2 E^3 + x (2 + 2 E - 3 E^2 - 2 E^3)), above zero in q = 1 / E.
fn act_mish_d2x(x: f32) -> f32 {
    let a = min(abs(x), MISH_END);
    let e = m_exp(-a, 0.0);
    let q = m_exp_value(e);
    let above = (2.0 - 2.0 * a) + q * ((6.0 - 3.0 * a) + q * ((8.0 + 2.0 * a) + q * (4.0 + 2.0 * a)));
    let below = (4.0 - 2.0 * a) + q * ((8.0 - 2.0 * a) + q * ((6.0 + 3.0 * a) + q * (2.0 + 2.0 * a)));
    let d = select(1.0 + 2.0 * (q + q * q), 2.0 + q * (2.0 + q), x < 0.0);
    let n = select(q * above, below, x < 0.0);
    return m_exp_times(e, 4.0 * n / (d * d * d));
}
