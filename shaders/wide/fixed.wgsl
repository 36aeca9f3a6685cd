// Polynomials in fixed point.
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_plus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_minus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_product64(a: u32, b: u32) -> vec2<u32> { return vec2(a, b); } //#stub
fn w_right64(m: vec2<u32>, n: u32) -> vec3<u32> { return vec3(m, n); } //#stub
fn w_normal(negative: bool, e: i32, m: vec2<u32>) -> Wide { return Wide(false, 0, m.x, m.y); } //#stub

// The upper half of a product of fractions of 64 digits, but for a unit or two.
fn w_fraction_times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let one = w_product64(a.x, b.y);
    let two = w_product64(a.y, b.x);
    let carry = select(0u, 1u, one.y + two.y < one.y);
    let middle = w_plus64(vec2(0u, one.x), vec2(0u, two.x + carry));
    return w_plus64(w_product64(a.x, b.x), middle);
}

// The same where a is a signed integer.
fn w_signed_times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let negative = a.x >= 0x80000000u;
    return w_minus64(w_fraction_times(a, b), select(vec2(0u), b, negative));
}

// A number from 0 up to 1 as a fraction of 2^64.
fn w_fraction(a: Wide) -> vec2<u32> {
    return w_right64(vec2(a.high, a.low), u32(clamp(-1 - a.e, 0, 64))).xy;
}

// A positive signed integer of units of 2^-61.
fn w_of_units(p: vec2<u32>) -> Wide {
    return w_normal(false, 2, p);
}
