//#use math/normal.wgsl
const NORMAL_END: f32 = 20.0; //#stub
struct Exp { s: f32, k: i32 } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_normal_exp(a: f32) -> Exp { return Exp(a, 0); } //#stub
fn m_normal_tail(a: f32) -> f32 { return a; } //#stub
fn m_normal_tail_slope(a: f32) -> f32 { return a; } //#stub

// max(x, 0) - a Q(a), with a = |x| and Q the upper tail of the normal distribution; x / 2 where
// a Q(a) could be flushed to zero.
fn act_gelu(x: f32) -> f32 {
    let a = min(abs(x), NORMAL_END);
    let y = max(x, 0.0) - m_exp_times(m_normal_exp(a), m_normal_tail(a));
    return select(y, 0.5 * x, a < 1e-30);
}

fn act_gelu_dx(x: f32) -> f32 {
    let a = min(abs(x), NORMAL_END);
    let slope = m_exp_times(m_normal_exp(a), m_normal_tail_slope(a));
    return select(1.0 + slope, -slope, x < 0.0);
}

// (2 - x^2) e^(-x^2 / 2) / sqrt(2 pi). The first factor is that of sqrt 2 - |x| and sqrt 2 + |x|, sqrt 2 in two parts; the max
// changes nothing, but keeps a compiler from adding these up.
fn act_gelu_d2x(x: f32) -> f32 {
    let a = min(abs(x), NORMAL_END);
    let below = max(1.41421354 - a, -NORMAL_END) + 2.42032372e-8;
    return m_exp_times(m_normal_exp(a), 0.39894228 * below * (1.41421356 + a));
}
