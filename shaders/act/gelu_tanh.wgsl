// 0.5 x (1 + tanh(u)) = x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3).
//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub

// At |x| = 14, e^-2u times any f32 has long reached zero.
const GELU_TANH_END: f32 = 14.0;

fn gelu_tanh_head(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) & 0xfffff000u);
}

// The square of a in two parts, the first of 12 bits, so that its product with a short constant is
// exact.
fn gelu_tanh_square(a: f32) -> vec2<f32> {
    let head = gelu_tanh_head(a);
    let square = head * head;
    let square_head = gelu_tanh_head(square);
    return vec2(square_head, (square - square_head) + (a + head) * (a - head));
}

// e^-2u for a = |x| <= 14, 2u = a (C1 + C3 a^2). At its end 2u is near 100 and must be right to 2^-24:
// it is carried as a sum of two f32.
fn gelu_tanh_exp(a: f32, square: vec2<f32>) -> Exp {
    // C3 = 292/4096 + 6.57537726e-5, C1 = 51/32 + 2.01912161e-3
    let cubic = 0.0712890625 * square.x;
    let cubic_rest = 0.0712890625 * square.y + 6.57537726e-5 * (a * a);
    let sum = gelu_tanh_head(1.59375 + cubic);
    // 51/32 - sum has at most 12 bits: taking its head changes nothing, but keeps a compiler from
    // reordering the sum, which would lose what the rest is there to hold.
    let sum_rest = (gelu_tanh_head(1.59375 - sum) + cubic) + (2.01912161e-3 + cubic_rest);
    let head = gelu_tanh_head(a);
    return m_exp(-(head * sum), -(a * sum_rest + (a - head) * sum));
}

fn act_gelu_tanh(x: f32) -> f32 {
    let a = min(abs(x), GELU_TANH_END);
    let e = gelu_tanh_exp(a, gelu_tanh_square(a));
    let v = x / (1.0 + m_exp_value(e));
    return select(v, m_exp_times(e, v), x < 0.0);
}

// s (1 + x (1 - s) (C1 + 3 C3 x^2)) with s = 1 / (1 + e^-2u), over the denominator (1 + q)^2 = 1 + t. Below
// zero little is left of 1 + x (C1 + 3 C3 x^2): its leading part is added first, without rounding. Far
// below, t is small: there 1 - t / (1 + t) is joined to the exponential's 1 + s, which rounds less than a
// quotient does. Near zero the quotient is 1/2 and a little: 1/2 is taken out of it.
fn act_gelu_tanh_dx(x: f32) -> f32 {
    let bounded = clamp(x, -GELU_TANH_END, GELU_TANH_END);
    let square = gelu_tanh_square(abs(bounded));
    let e = gelu_tanh_exp(abs(bounded), square);
    let q = m_exp_value(e);
    let head = gelu_tanh_head(bounded);
    // 3 C3 = 876/4096 + 1.97261318e-4
    let steep = 0.2138671875 * square.x
        + (0.2138671875 * square.y + (1.97261318e-4 * (bounded * bounded) + 2.01912161e-3));
    let lead = 1.0 + 1.59375 * head;
    let rest = bounded * steep + 1.59375 * (bounded - head);
    let near = (x > -0.5) & (x < 0.0);
    let below = select(lead + (rest + q), (lead - 0.5) + (rest - 0.5 * q * q), near);
    let n = select(1.0 + q * (lead + rest), below, x < 0.0);
    let t = q * (2.0 + q);
    let deep = x < -1.0;
    let part = select(n, t, deep) / (1.0 + t);
    let v = select(part, n, deep) + select(0.0, 0.5, near);
    let s = select(e.s, e.s - part * (1.0 + e.s), deep);
    return select(v, m_exp_times(Exp(s, e.k), v), x < 0.0);
}

// With a = |x|, w = 2u and its derivative w' = C1 + 3 C3 a^2: s (1 - s) (2 w' + 6 C3 a^2 - a w'^2 tanh(w / 2)), where s (1 - s)
// is q / (1 + q)^2 and tanh(w / 2) is (1 - q) / (1 + q). The terms cancel around the roots: w' is a sum of two f32, the first of
// 12 bits, so that its square keeps its digits.
fn act_gelu_tanh_d2x(x: f32) -> f32 {
    let a = min(abs(x), GELU_TANH_END);
    let square = gelu_tanh_square(a);
    let e = gelu_tanh_exp(a, square);
    let q = m_exp_value(e);
    // 3 C3 = 876/4096 + 1.97261318e-4
    let cubic = 0.2138671875 * square.x;
    let rest = 0.2138671875 * square.y + 1.97261318e-4 * (a * a);
    let head = gelu_tanh_head(1.59375 + cubic);
    let lo = (gelu_tanh_head(1.59375 - head) + cubic) + (2.01912161e-3 + rest);
    let steep = a * (head * head + lo * (2.0 * head + lo));
    let flat = 2.0 * (head + (cubic + (rest + lo)));
    let whole = 1.0 + q;
    return m_exp_times(e, ((flat - steep) + q * (flat + steep)) / (whole * whole * whole));
}
