// x * tanh(log(1 + e^x)), as a rational function of q = e^-|x|.
//#use math/exp.wgsl
//#use math/ldexp.wgsl
struct Exp { m: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.m; } //#stub
fn m_ldexp(v: f32, k: i32) -> f32 { return v; } //#stub

const MISH_END: f32 = 250.0;

fn act_mish(x: f32) -> f32 {
    let e = m_exp(-min(abs(x), MISH_END), 0.0);
    let q = m_exp_value(e);
    let above = x * ((1.0 + 2.0 * q) / (1.0 + 2.0 * (q + q * q)));
    let below = m_ldexp(x * (e.m * ((q + 2.0) / (q * q + 2.0 * (q + 1.0)))), e.k);
    return select(above, below, x < 0.0);
}

// With everything over one denominator squared; near the root, at x = -1.19, 4 (1 + x) is exact.
fn act_mish_dx(x: f32) -> f32 {
    let bounded = clamp(x, -MISH_END, MISH_END);
    let e = m_exp(-abs(bounded), 0.0);
    let q = m_exp_value(e);
    let linear = 4.0 * (1.0 + bounded);
    let middle = 4.0 * bounded + 6.0;
    let above_r = 1.0 / (1.0 + 2.0 * (q + q * q));
    let below_r = 1.0 / (q * q + 2.0 * (q + 1.0));
    let above = above_r * above_r * (1.0 + q * (4.0 + q * (middle + q * linear)));
    let below = below_r * below_r * (linear + q * (middle + q * (4.0 + q)));
    return select(above, m_ldexp(e.m * below, e.k), x < 0.0);
}
