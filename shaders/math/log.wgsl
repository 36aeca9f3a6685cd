// The logarithm of v >= 1: with v = 2^k (1 + q) it is k ln 2 + log(1 + q), of terms that do not cancel.
//#use math/log1p.wgsl
fn m_log1p_ratio(q: f32) -> f32 { return q; } //#stub

fn m_log_from_one(v: f32) -> f32 {
    let bits = bitcast<u32>(v);
    let k = f32((bits >> 23u) - 127u);
    let q = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u) - 1.0;
    // ln 2 is 355/512 - 2.12194440e-4, the first product exact.
    return k * 0.693359375 + (q * m_log1p_ratio(q) - k * 2.12194440e-4);
}
