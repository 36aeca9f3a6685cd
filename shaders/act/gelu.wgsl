//#use math/normal.wgsl
//#use math/ldexp.wgsl
const NORMAL_END: f32 = 20.0; //#stub
struct Exp { m: f32, k: i32 } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.m; } //#stub
fn m_ldexp(v: f32, k: i32) -> f32 { return v; } //#stub
fn m_normal_exp(a: f32) -> Exp { return Exp(a, 0); } //#stub
fn m_normal_ratio(a: f32) -> f32 { return a; } //#stub

// x * (1 - Q(x)) above zero, x * Q(-x) below, with Q the upper tail.
fn act_gelu(x: f32) -> f32 {
    let a = min(abs(x), NORMAL_END);
    let e = m_normal_exp(a);
    let ratio = m_normal_ratio(a);
    let above = x * (1.0 - ratio * m_exp_value(e));
    return select(above, m_ldexp(x * (ratio * e.m), e.k), x < 0.0);
}

// The tail part is Q(a) - a * phi(a), with phi(a) = e^(-a^2 / 2) / sqrt(2 pi).
fn act_gelu_dx(x: f32) -> f32 {
    let a = min(abs(x), NORMAL_END);
    let e = m_normal_exp(a);
    let tail = m_normal_ratio(a) - a * 0.398942280;
    let above = 1.0 - tail * m_exp_value(e);
    return select(above, m_ldexp(tail * e.m, e.k), x < 0.0);
}
