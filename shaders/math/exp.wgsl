// The exponential, accurate to about 1 ULP, for results far below the smallest normal f32 as well:
// e^(hi + lo) = m * 2^k, with m in [0.70, 1.42] and k whole. A caller multiplies m by what it needs
// before m_ldexp applies 2^k, so that e^x * x, say, stays exact where e^x alone would underflow.
struct Exp {
    m: f32,
    k: i32,
}

// |hi| up to 300, |lo| much smaller. Give lo = 0.0, or what rounding hi has lost.
fn m_exp(hi: f32, lo: f32) -> Exp {
    let n = round((hi + lo) * 1.44269504);
    // Cody and Waite: ln 2 = 355/512 - 2.12194440e-4; the first product and difference are exact.
    // The difference is never below -1: the max changes nothing, but keeps a compiler from merging
    // the two constants (Mesa does, and 68 ULP are lost).
    let r = max(hi - n * 0.693359375, -1.0) + n * 2.12194440e-4 + lo;
    var p = 0.00137448148;
    p = p * r + 0.00836896151;
    p = p * r + 0.0416696556;
    p = p * r + 0.166665182;
    p = p * r + 0.499999881;
    // Adding 1.5 * 2^23 leaves the whole number n in the low bits.
    let k = bitcast<i32>(n + 12582912.0) - 0x4b400000;
    return Exp(1.0 + (r + r * r * p), k);
}

// m * 2^k for k <= 0 as an f32, for use beside numbers of the order of one: below 2^-126 it is wrong
// but still negligible.
fn m_exp_value(e: Exp) -> f32 {
    return e.m * bitcast<f32>(u32(max(e.k, -126) + 127) << 23u);
}
