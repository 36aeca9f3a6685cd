// bf16, where f32 is in doubt how to round, or may flush.
//#use wide/bits.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_of_magnitude(negative: bool, magnitude: u32, digits: u32, last: i32) -> Wide { return Wide(negative, last, magnitude, digits); } //#stub
fn w_rounded(v: Wide, digits: i32, last: i32, infinite: u32) -> u32 { return v.high; } //#stub

fn bf16_wide(bits: u32) -> Wide {
    return w_of_magnitude((bits & 0x8000u) != 0u, bits & 0x7fffu, 8u, -133);
}

fn bf16_of_wide(v: Wide) -> u32 {
    return select(0u, 0x8000u, v.negative) | w_rounded(v, 8, -133, 0x7f80u);
}

// Whether a value that is wrong by 8 ULP, of itself or of terms that have cancelled, may be rounded to another number: the
// 16 digits behind bf16's last are that near to the middle.
fn bf16_doubt(value: f32, terms: f32) -> bool {
    let magnitude = bitcast<u32>(value) & 0x7fffffffu;
    let exponent = magnitude >> 23u;
    let larger = max(bitcast<u32>(terms) >> 23u, exponent) - exponent;
    let margin = 8u << min(larger, 12u);
    return ((magnitude - 0x8000u + margin) & 0xffffu) <= 2u * margin;
}

// Whether a result is so small that f32 may have flushed it, or what it is made of. Nothing is lost where x or dy is zero
// or x is infinite, nor where a function is constant and gives zero, unless x or dy is so small that they decide that.
fn bf16_is_lost(value: f32, x: u32, dy: u32, is_flat: bool) -> bool {
    let magnitude = bitcast<u32>(value) & 0x7fffffffu;
    let has_result = ((x & 0x7fffu) != 0u) & ((dy & 0x7fffu) != 0u) & ((x & 0x7fffu) < 0x7f80u);
    let is_small = ((x & 0x7fffu) < 0x2200u) | ((dy & 0x7fffu) < 0x2200u);
    return (magnitude < 0x00800010u) & has_result & (!is_flat | (magnitude != 0u) | is_small);
}
