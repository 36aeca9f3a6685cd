// On which side of zero x is, by its bits: drivers that flush subnormal numbers take them for zero where they compare. NaN is
// on the side of its sign, and told by other means.
fn m_is_above_zero(x: f32) -> bool {
    return bitcast<i32>(x) > 0;
}

fn m_is_below_zero(x: f32) -> bool {
    return bitcast<u32>(x) > 0x80000000u;
}
