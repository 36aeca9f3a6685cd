//#use math/exp.wgsl
//#use math/expm1.wgsl
//#use math/sign.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

// The quotient x / alpha is needed to more digits than f32 holds: in two parts, the first of 12 bits, so that
// its products with the parts of alpha are exact. This is the second.
fn celu_lo(x: f32, alpha: f32, hi: f32) -> f32 {
    let head = bitcast<f32>(bitcast<u32>(alpha) & 0xfffff000u);
    // What is left of x has at most 16 bits: the mask changes nothing, but keeps a compiler from adding
    // the parts of alpha up again.
    let left = bitcast<f32>(bitcast<u32>(x - hi * head) & 0xffffff00u);
    return (left - hi * (alpha - head)) / alpha;
}

// e^(x / alpha) for x <= 0, and up to e^most where alpha is negative; the two parts count far from zero.
fn celu_exp(x: f32, alpha: f32, most: f32) -> Exp {
    let bounded = min(x, 0.0);
    let quotient = clamp(bounded / alpha, -250.0, most);
    let hi = bitcast<f32>(bitcast<u32>(quotient) & 0xfffff000u);
    let lo = celu_lo(bounded, alpha, hi);
    let two = (abs(quotient) > 1.0) & (quotient > -249.0) & (quotient < most - 0.1);
    return m_exp(select(quotient, hi, two), select(0.0, lo, two));
}

// Near zero it is x, which x / alpha may be too small to tell. Where the exponential of a negative alpha overflows,
// the product with a small alpha need not: it is made first, and 2^k in two parts.
fn act_celu(x: f32, alpha: f32) -> f32 {
    let e = celu_exp(x, alpha, 160.0);
    let rest = bitcast<f32>(u32(max(e.k, 127)) << 23u);
    let large = (alpha + alpha * e.s) * 1.7014118e38 * rest;
    let down = select(alpha * m_expm1(e), large, e.k > 127);
    return select(down, x, x > -1e-10 * abs(alpha));
}

fn act_celu_dx(x: f32, alpha: f32) -> f32 {
    let e = celu_exp(x, alpha, 88.9);
    // A negative alpha makes it grow, until it overflows.
    let down = select(m_exp_times(e, 1.0), 1.0 + m_expm1(e), alpha < 0.0);
    return select(down, 1.0, x > 0.0);
}

fn act_celu_dx_from_y(y: f32, alpha: f32) -> f32 {
    return select((y + alpha) / alpha, 1.0, y > 0.0);
}

// e^z - 1 - z e^z with z = x / alpha. Near zero, where it cancels, as -z^2 p(z), with the square from z in two
// parts, unless these or their products would be subnormal.
fn act_celu_d_alpha(x: f32, alpha: f32) -> f32 {
    let bounded = min(x, 0.0);
    let z = clamp(bounded / alpha, -250.0, 88.9);
    let head = bitcast<f32>(bitcast<u32>(z) & 0xfffff000u);
    let two = (bounded < -1e-30) & (abs(z) > 1e-10);
    let hi = select(z, head, two);
    let lo = select(0.0, celu_lo(bounded, alpha, head), two);
    let square = hi * hi + lo * (2.0 * hi + lo);
    var p = 1.87308615e-5;
    p = p * z + 0.000174544519;
    p = p * z + 0.00119320326;
    p = p * z + 0.00694463123;
    p = p * z + 0.0333326906;
    p = p * z + 0.12499994;
    p = p * z + 0.333333373;
    p = p * z + 0.5;
    // e^z is (1 + s) 2^k. A negative alpha makes it grow; then it is -1 - (z - 1) e^z.
    let e = celu_exp(x, alpha, 88.9);
    let power = bitcast<f32>(u32(clamp(e.k, -126, 127) + 127) << 23u);
    let up = z > 0.0;
    let v = select(z, z - 1.0, up);
    let far = select(m_expm1(e), -1.0, up) - (v + v * e.s) * power;
    let down = select(far, -square * p, (z > -1.0) & (z < 0.65));
    return select(down, 0.0, x > 0.0);
}

// e^(x / alpha) / alpha, the quotient first: of a negative alpha the exponential alone leaves the range of f32.
fn act_celu_d2x(x: f32, alpha: f32) -> f32 {
    let e = celu_exp(x, alpha, 160.0);
    let v = 1.0 / alpha;
    let rest = bitcast<f32>(u32(max(e.k, 127)) << 23u);
    let down = m_exp_times(Exp(e.s, min(e.k, 0)), v);
    let power = bitcast<f32>(u32(clamp(e.k, 0, 127) + 127) << 23u);
    let up = select((v + v * e.s) * power, (v + v * e.s) * 1.7014118e38 * rest, e.k > 127);
    return select(select(down, up, e.k > 0), 0.0, m_is_above_zero(x));
}
