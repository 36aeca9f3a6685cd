// The exponential, accurate to about 1 ULP, for results far below the smallest normal f32 as well:
// e^(hi + lo) = (1 + s) * 2^k, with s in [-0.30, 0.42] and k whole. A caller multiplies by what it
// needs before 2^k is applied (m_exp_times), so that e^x * x, say, stays exact where e^x alone would
// underflow.
//#use math/ldexp.wgsl
fn m_ldexp(v: f32, k: i32) -> f32 { return v; } //#stub

struct Exp {
    s: f32,
    k: i32,
}

// |hi| up to 300, |lo| much smaller. Give lo = 0.0, or what rounding hi has lost.
fn m_exp(hi: f32, lo: f32) -> Exp {
    let n = round((hi + lo) * 1.44269504);
    // Cody and Waite: ln 2 = 355/512 - 2.12194440e-4; the first product and difference are exact.
    // The difference is never below -1: the max changes nothing, but keeps a compiler from merging
    // the two constants (Mesa does, and 68 ULP are lost).
    let r = max(hi - n * 0.693359375, -1.0) + (n * 2.12194440e-4 + lo);
    var p = 0.00137448148;
    p = p * r + 0.00836896151;
    p = p * r + 0.0416696556;
    p = p * r + 0.166665182;
    p = p * r + 0.499999881;
    // Adding 1.5 * 2^23 leaves the whole number n in the low bits.
    let k = bitcast<i32>(n + 12582912.0) - 0x4b400000;
    return Exp(r + r * r * p, k);
}

// The exponential times v, for k <= 0.
fn m_exp_times(e: Exp, v: f32) -> f32 {
    return m_ldexp(v + v * e.s, e.k);
}

// The exponential for k <= 0 as an f32, for use beside numbers of the order of one: below 2^-126 it
// is wrong but still negligible.
fn m_exp_value(e: Exp) -> f32 {
    return (1.0 + e.s) * bitcast<f32>(u32(max(e.k, -126) + 127) << 23u);
}
