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

// Whether a value that is wrong by 8 ULP, of itself or of terms that have cancelled, may be rounded to another number: the
// digits behind f16's last, as a fraction of 2^32, are that near to 1/2.
fn f16_doubt(value: f32, terms: f32) -> bool {
    let magnitude = bitcast<u32>(value) & 0x7fffffffu;
    let exponent = magnitude >> 23u;
    let shift = clamp(exponent, 94u, 113u) - 94u;
    let fraction = ((magnitude & 0x7fffffu) | 0x800000u) << shift;
    let larger = max(bitcast<u32>(terms) >> 23u, exponent) - exponent;
    let by = larger + shift;
    let margin = 8u << min(by, 27u);
    return (fraction - 0x80000000u + margin <= 2u * margin) | (by > 27u);
}
