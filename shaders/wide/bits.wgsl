// Wide numbers of and to the bits of floats.
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_normal(negative: bool, e: i32, m: vec2<u32>) -> Wide { return Wide(negative, e, m.x, m.y); } //#stub

// Of a float without its sign, with a significand of so many digits and subnormal numbers of steps of 2^last. Infinity
// is the power of two that would come next.
fn w_of_magnitude(negative: bool, magnitude: u32, digits: u32, last: i32) -> Wide {
    let exponent = magnitude >> (digits - 1u);
    let one = select(0u, 1u << (digits - 1u), exponent > 0u);
    let m = (magnitude & ((1u << (digits - 1u)) - 1u)) | one;
    return w_normal(negative, last + 30 + i32(max(exponent, 1u)), vec2(m, 0u));
}

fn w_of_f32(v: f32) -> Wide {
    let bits = bitcast<u32>(v);
    return w_of_magnitude(bits >= 0x80000000u, bits & 0x7fffffffu, 24u, -149);
}

// The nearest number of such a format, of two the even one, without its sign.
fn w_rounded(v: Wide, digits: i32, last: i32, infinite: u32) -> u32 {
    let e = min(v.e, 1000);
    // The exponent of the last place that is kept, and how many of the upper 31 digits are cut off.
    let place = max(e - digits + 1, last);
    let cut = u32(clamp(place - e + 30, 1, 31));
    let m = (v.high >> 1u) | select(0u, 1u, ((v.high & 1u) | v.low) != 0u);
    let rest = m & ((1u << cut) - 1u);
    let half = 1u << (cut - 1u);
    let floor = m >> cut;
    let up = (rest > half) | ((rest == half) & ((floor & 1u) == 1u));
    let whole = floor + select(0u, 1u, up);
    let bits = whole + (u32(place - last) << u32(digits - 1));
    return select(min(bits, infinite), 0u, (v.high == 0u) | (place - e + 30 > 31));
}
