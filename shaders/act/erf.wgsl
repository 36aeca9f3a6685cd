//#use math/normal.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_normal_exp(a: f32) -> Exp { return Exp(a, 0); } //#stub
fn m_normal_tail(a: f32) -> f32 { return a; } //#stub

// Up to 1 a polynomial, erf(x) / x - 1 of x^2; beyond, 1 - 2 Q(a) with a = sqrt(2) |x| and Q the upper tail of the normal
// distribution.
fn act_erf(x: f32) -> f32 {
    let n = min(abs(x), 1.0);
    let s = n * n;
    var p = 7.98296824e-5;
    p = p * s - 0.000804364332;
    p = p * s + 0.00519137131;
    p = p * s - 0.026854936;
    p = p * s + 0.112835988;
    p = p * s - 0.37612626;
    // Below 1e-30 the second term may be flushed.
    let near = select(x + x * (0.128379166 + s * p), 1.12837923 * x, n < 1e-30);
    let a = 1.41421354 * clamp(abs(x), 1.0, 10.0);
    let far = 1.0 - 2.0 * (m_exp_times(m_normal_exp(a), m_normal_tail(a)) / a);
    return select(select(far, -far, x < 0.0), near, abs(x) <= 1.0);
}

// 2 / sqrt(pi) e^(-x^2), the square in two parts.
fn act_erf_dx(x: f32) -> f32 {
    let a = min(abs(x), 12.0);
    let head = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
    return m_exp_times(m_exp(-head * head, -(a + head) * (a - head)), 1.12837923);
}
