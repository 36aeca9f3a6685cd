//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub

// At |x| = 150, e^(-1.702 |x|) times any f32 has long reached zero.
const QUICK_GELU_END: f32 = 150.0;

// 1.702 a in two parts: far below zero it must be right to more digits than f32 holds. 1.702 = 3485/2048 + e,
// e = 3.39843750e-4, and the product of 3485/2048 with the first 12 bits of a is exact.
fn quick_gelu_product(a: f32) -> vec2<f32> {
    let head = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
    return vec2(1.70166016 * head, 1.70166016 * (a - head) + 3.39843750e-4 * a);
}

fn act_quick_gelu(x: f32) -> f32 {
    let z = quick_gelu_product(min(abs(x), QUICK_GELU_END));
    let e = m_exp(-z.x, -z.y);
    let v = x / (1.0 + m_exp_value(e));
    return select(v, m_exp_times(e, v), x < 0.0);
}

// s (1 + z (1 - s)) with q = e^z is q (1 + z + q) / (1 + q)^2, with q = e^-z it is (1 + q (1 + z)) / (1 + q)^2. Of
// these the first suits z far below zero and just below, the second the rest. Around the root, at
// x = -0.751, 1 + z is exact.
fn act_quick_gelu_dx(x: f32) -> f32 {
    let z = quick_gelu_product(clamp(x, -QUICK_GELU_END, QUICK_GELU_END));
    let deep = x < -0.75;
    let down = deep | ((x > -0.3) & (x < 0.0));
    let side = select(-1.0, 1.0, down);
    let e = m_exp(side * z.x, side * z.y);
    let q = m_exp_value(e);
    let line = 1.0 + z.x;
    let n = select(1.0 + q * (line + z.y), line + (z.y + q), down);
    // Over 1 + t = (1 + q)^2; n - n t / (1 + t) is the same with less of the rounding where t is small.
    let t = 2.0 * q + q * q;
    let part = n * select(1.0, t, deep) / (1.0 + t);
    let v = select(part, n - part, deep);
    return select(v, m_exp_times(e, v), down);
}
