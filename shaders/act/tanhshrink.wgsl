//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub

// Near zero x^3 p(x^2). Further out x - (1 - q) / (1 + q) with q = e^-2x loses digits; (x - 1) + 2 q / (1 + q)
// does not: x - 1 is exact up to 2, where q is small.
fn act_tanhshrink(x: f32) -> f32 {
    let a = abs(x);
    let q = m_exp_value(m_exp(-2.0 * min(a, 100.0), 0.0));
    let far = (a - 1.0) + 2.0 * q / (1.0 + q);
    let s = min(x * x, 1.0);
    var p = -0.000152973022;
    p = p * s + 0.000962345861;
    p = p * s - 0.00326626701;
    p = p * s + 0.00874437578;
    p = p * s - 0.0218491405;
    p = p * s + 0.0539676771;
    p = p * s - 0.133333519;
    p = p * s + 0.333333343;
    return select(select(far, -far, x < 0.0), x * (s * p), a < 1.0);
}

// tanh(x)^2: near zero x^2 p(x^2), further out 1 - 4 q / (1 + q)^2.
fn act_tanhshrink_dx(x: f32) -> f32 {
    let a = abs(x);
    let q = m_exp_value(m_exp(-2.0 * min(a, 100.0), 0.0));
    let far = 1.0 - 4.0 * q / (1.0 + q * (2.0 + q));
    let s = min(x * x, 1.0);
    var p = -0.00271171611;
    p = p * s + 0.0145793362;
    p = p * s - 0.0423942246;
    p = p * s + 0.0960004926;
    p = p * s - 0.19653745;
    p = p * s + 0.377750814;
    p = p * s - 0.666665792;
    return select(far, s + s * (s * p), a < 0.9);
}
