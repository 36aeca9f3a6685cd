// f16, where f32 is in doubt how to round.
//#use wide/bits.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_of_magnitude(negative: bool, magnitude: u32, digits: u32, last: i32) -> Wide { return Wide(negative, last, magnitude, digits); } //#stub
fn w_rounded(v: Wide, digits: i32, last: i32, infinite: u32) -> u32 { return v.high; } //#stub

fn f16_wide(bits: u32) -> Wide {
    return w_of_magnitude((bits & 0x8000u) != 0u, bits & 0x7fffu, 11u, -24);
}

fn f16_of_wide(v: Wide) -> u32 {
    return select(0u, 0x8000u, v.negative) | w_rounded(v, 11, -24, 0x7c00u);
}
