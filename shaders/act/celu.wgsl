//#use math/exp.wgsl
//#use math/expm1.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub

// e^(x / alpha) for x <= 0. Far below zero the quotient must be right to more digits than f32 holds: it is
// taken in two parts, the first of 12 bits, so that its products with the parts of alpha are exact.
fn celu_exp(x: f32, alpha: f32) -> Exp {
    let bounded = min(x, 0.0);
    let quotient = clamp(bounded / alpha, -250.0, 88.9);
    let hi = bitcast<f32>(bitcast<u32>(quotient) & 0xfffff000u);
    let head = bitcast<f32>(bitcast<u32>(alpha) & 0xfffff000u);
    // What is left of x has at most 16 bits: the mask changes nothing, but keeps a compiler from adding
    // the parts of alpha up again.
    let left = bitcast<f32>(bitcast<u32>(bounded - hi * head) & 0xffffff00u);
    let lo = (left - hi * (alpha - head)) / alpha;
    let two = abs(quotient) > 1.0 && quotient > -249.0 && quotient < 88.8;
    return m_exp(select(quotient, hi, two), select(0.0, lo, two));
}

// Just below zero it is x, which x / alpha may be too small to tell.
fn act_celu(x: f32, alpha: f32) -> f32 {
    return select(alpha * m_expm1(celu_exp(x, alpha)), x, x > min(-1e-10 * alpha, 0.0));
}

fn act_celu_dx(x: f32, alpha: f32) -> f32 {
    let e = celu_exp(x, alpha);
    // A negative alpha makes it grow, until it overflows.
    let down = select(m_exp_times(e, 1.0), 1.0 + m_expm1(e), alpha < 0.0);
    return select(down, 1.0, x > 0.0);
}
