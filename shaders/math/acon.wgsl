// ACON-C, (p1 - p2) x s(z) + p2 x with z = beta (p1 - p2) x and s(z) = 1 / (1 + e^-z). Written as
// x (p1 s(z) + p2 s(-z)), with q = e^-|z|, it is x (near + far q) / (1 + q), where near is p1 for z >= 0 and
// p2 below, and far the other.
//#use math/exp.wgsl
//#use math/sigmoid.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub
fn m_times_swish_derivative(x: f32, z: f32) -> f32 { return x * z; } //#stub
fn m_square_bell(half: f32, a: f32, b: f32, z: f32) -> f32 { return half; } //#stub

const ACON_END: f32 = 250.0;

fn m_acon_z(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    return clamp(beta * (p1 - p2) * clamp(x, -3.4028234e38, 3.4028234e38), -ACON_END, ACON_END);
}

fn m_acon(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    let z = m_acon_z(x, p1, p2, beta);
    let e = m_exp(-abs(z), 0.0);
    let q = m_exp_value(e);
    let near = select(p1, p2, z < 0.0);
    let far = select(p2, p1, z < 0.0);
    let y = x * ((near + far * q) / (1.0 + q));
    // Beyond |z| = 64, q leaves the range of f32 before the product does.
    let deep = select(near * x, 0.0, near == 0.0) + m_exp_times(e, far * x);
    return select(y, deep, abs(z) > 64.0);
}

// near s + far (1 - s) + (p1 - p2) z s (1 - s) with s = s(|z|), over the common denominator (1 + q)^2.
fn m_acon_derivative(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    let z = m_acon_z(x, p1, p2, beta);
    let e = m_exp(-abs(z), 0.0);
    let q = m_exp_value(e);
    let near = select(p1, p2, z < 0.0);
    let far = select(p2, p1, z < 0.0);
    let rest = m_exp_times(e, far * (1.0 + q) + (p1 - p2) * z);
    return (near * (1.0 + q) + rest) / (1.0 + q * (2.0 + q));
}

// With h the derivative of z s(z): x h(z) for p1, and x (1 - h(z)) = x h(-z) for p2.
fn m_acon_d_p1(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    return m_times_swish_derivative(x, m_acon_z(x, p1, p2, beta));
}

fn m_acon_d_p2(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    return m_times_swish_derivative(x, -m_acon_z(x, p1, p2, beta));
}

// ((p1 - p2) x)^2 s (1 - s). The rounding of p1 - p2 would count twice: the second factor is what would make
// the square right. The max changes nothing, but keeps a compiler from taking what is lost for zero.
fn m_acon_d_beta(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    let bounded = clamp(x, -3.4028234e38, 3.4028234e38);
    let d = p1 - p2;
    let swap = abs(p2) > abs(p1);
    let lost = (select(p1, -p2, swap) - max(d, -3.4028234e38)) - select(p2, -p1, swap);
    return m_square_bell(0.5 * bounded, d, d + 2.0 * lost, beta * d * bounded);
}
