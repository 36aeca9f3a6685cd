// Sines, wrong by some 2^-40 of themselves, of numbers with 32 digits or less.
//#use wide/fixed.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_plus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_minus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_product64(a: u32, b: u32) -> vec2<u32> { return vec2(a, b); } //#stub
fn w_normal(negative: bool, e: i32, m: vec2<u32>) -> Wide { return Wide(false, 0, m.x, m.y); } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_signed_times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_fraction(a: Wide) -> vec2<u32> { return vec2(a.high, a.low); } //#stub
fn w_of_units(p: vec2<u32>) -> Wide { return Wide(false, 0, p.x, p.y); } //#stub

// An angle: an integer of quarters of a turn, and what is left, up to an eighth of a turn to either side.
struct WideAngle {
    quarters: u32,
    left: Wide,
}

// The 32 digits of 1 / (2 pi) that follow the first `skip` digits of it, for n < 2 those behind them, and so on.
fn w_turn_digits(skip: u32) -> vec3<u32> {
    let b1 = skip >= 32u;
    let b2 = skip >= 64u;
    let b3 = skip >= 96u;
    let by = skip & 31u;
    let first = select(select(select(vec4(0x28be60dbu, 0x9391054au, 0x7f09d5f4u, 0x7d4d3770u), vec4(0x9391054au, 0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u), b1), vec4(0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u, 0x4f10e410u), b2), vec4(0x7d4d3770u, 0x36d8a566u, 0x4f10e410u, 0x7f9458eau), b3);
    return (first.xyz << vec3(by)) | ((first.yzw >> vec3(1u)) >> vec3(31u - by));
}

// |z|, as Payne and Hanek do it: what of 1 / (2 pi) makes whole turns is left out.
fn w_angle(z: Wide) -> WideAngle {
    let digits = w_turn_digits(u32(clamp(z.e - 31, 0, 127)));
    let last = w_product64(z.high, digits.z);
    let middle = w_plus64(w_product64(z.high, digits.y), vec2(0u, last.x));
    let first = w_plus64(w_product64(z.high, digits.x), vec2(0u, middle.x));
    // Turns, and fractions of one, of z 2^(31 - e) where e is less.
    let by = u32(clamp(31 - z.e, 0, 31));
    let fraction = vec2(
        (first.y >> by) | ((first.x << 1u) << (31u - by)),
        (middle.y >> by) | ((first.y << 1u) << (31u - by)),
    );
    let quarters = (fraction.x + 0x20000000u) >> 30u;
    let left = w_minus64(fraction, vec2(quarters << 30u, 0u));
    let negative = left.x >= 0x80000000u;
    let size = w_normal(negative, -1, select(left, w_minus64(vec2(0u), left), negative));
    // In radians; below 1 it is z itself.
    let radians = w_mul(size, Wide(false, 2, 0xc90fdaa2u, 0x2168c235u));
    let near = z.e < 0;
    return WideAngle(select(quarters, 0u, near), w_choose(radians, w_abs(z), near));
}

// The sine of an angle, one quarter further the cosine.
fn w_sine_of(angle: WideAngle, further: u32) -> Wide {
    let quarters = angle.quarters + further;
    let is_cosine = (quarters & 1u) == 1u;
    let w = w_fraction(w_mul(angle.left, angle.left));
    var p = select(vec2(0x00000000u, 0x00001953u), vec2(0x00000000u, 0x0001ae7fu), is_cosine);
    p = w_plus64(w_signed_times(p, w), select(vec2(0xffffffffu, 0xffe5180cu), vec2(0xffffffffu, 0xfe6c68b5u), is_cosine));
    p = w_plus64(w_signed_times(p, w), select(vec2(0x00000000u, 0x16124614u), vec2(0x00000001u, 0x1eed8f00u), is_cosine));
    p = w_plus64(w_signed_times(p, w), select(vec2(0xfffffff2u, 0x8cdd4c05u), vec2(0xffffff6cu, 0x0d82443bu), is_cosine));
    p = w_plus64(w_signed_times(p, w), select(vec2(0x000005c7u, 0x78e955b2u), vec2(0x00003403u, 0x40340340u), is_cosine));
    p = w_plus64(w_signed_times(p, w), select(vec2(0xfffe5fe5u, 0xfe5fe5feu), vec2(0xfff49f49u, 0xf49f49f5u), is_cosine));
    p = w_plus64(w_signed_times(p, w), select(vec2(0x00444444u, 0x44444444u), vec2(0x01555555u, 0x55555555u), is_cosine));
    p = w_plus64(w_signed_times(p, w), select(vec2(0xfaaaaaaau, 0xaaaaaaabu), vec2(0xf0000000u, 0x00000000u), is_cosine));
    p = w_plus64(w_signed_times(p, w), select(vec2(0x20000000u, 0x00000000u), vec2(0x20000000u, 0x00000000u), is_cosine));
    let even = w_of_units(p);
    let v = w_choose(w_mul(angle.left, even), even, is_cosine);
    return Wide(v.negative != ((quarters & 2u) == 2u), v.e, v.high, v.low);
}

fn w_sin(z: Wide) -> Wide {
    let v = w_sine_of(w_angle(z), 0u);
    return Wide(v.negative != z.negative, v.e, v.high, v.low);
}

fn w_cos(z: Wide) -> Wide {
    return w_sine_of(w_angle(z), 1u);
}
