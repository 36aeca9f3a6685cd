// The exponential and its kin, wrong by some 2^-36 of themselves.
//#use math/divide.wgsl
//#use wide/fixed.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn m_multiply_high(a: u32, b: u32) -> u32 { return a * b; } //#stub
fn w_plus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_minus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_product64(a: u32, b: u32) -> vec2<u32> { return vec2(a, b); } //#stub
fn w_left64(m: vec2<u32>, n: u32) -> vec2<u32> { return m; } //#stub
fn w_right64(m: vec2<u32>, n: u32) -> vec3<u32> { return vec3(m, n); } //#stub
fn w_normal(negative: bool, e: i32, m: vec2<u32>) -> Wide { return Wide(false, 0, m.x, m.y); } //#stub
fn w_minus(a: Wide) -> Wide { return a; } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_fraction_times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub

// (e^r - 1) / r, for a fraction r up to log 2. Coefficients by tools/wide.py.
fn w_expm1_ratio(r: vec2<u32>) -> Wide {
    var t = 0x00006281u;
    t = m_multiply_high(t, r.x) + 0x0002c240u;
    t = m_multiply_high(t, r.x) + 0x001a19a9u;
    t = m_multiply_high(t, r.x) + 0x00d0030du;
    t = m_multiply_high(t, r.x) + 0x05b05d6eu;
    t = m_multiply_high(t, r.x) + 0x222221cfu;
    t = m_multiply_high(t, r.x) + 0xaaaaaab0u;
    var p = vec2(t >> 5u, t << 27u);
    p = w_plus64(w_fraction_times(p, r), vec2(0x15555555u, 0x54274e04u));
    p = w_plus64(w_fraction_times(p, r), vec2(0x40000000u, 0x00014af8u));
    p = w_plus64(w_fraction_times(p, r), vec2(0x80000000u, 0u));
    return w_normal(false, 0, p);
}

// e^|x| = (1 + s) 2^k.
struct WideExp {
    s: Wide,
    k: i32,
}

fn w_exp_parts(x: Wide) -> WideExp {
    let far = x.e >= 9;
    let e = min(x.e, 8);
    let m = vec2(x.high, x.low);
    // The whole part, at most 9 digits, and the fraction.
    let whole = select(0u, m.x >> u32(31 - max(e, 0)), e >= 0);
    let fraction = select(w_right64(m, u32(max(-1 - e, 0))).xy, w_left64(m, u32(max(e + 1, 0))), e >= -1);
    // |x| / log 2, rounded down, and what is left, from 0 to log 2 and a little.
    let k = m_multiply_high((whole << 23u) | (fraction.x >> 9u), 0xb8aa3b29u) >> 22u;
    let product = w_product64(k, 0xd1cf79acu);
    let r = w_minus64(fraction, vec2(k * 0xb17217f7u + product.x, product.y));
    // Where k is 0, |x| itself is left, with all its digits.
    let left = w_choose(w_normal(false, -1, r), w_abs(x), k == 0u);
    // From 512 on it is larger than any product can tell.
    return WideExp(w_mul(left, w_expm1_ratio(r)), select(i32(k), 100000, far));
}

// e^|x|.
fn w_exp_up(x: Wide) -> Wide {
    let parts = w_exp_parts(x);
    return w_times_power(w_add(W_ONE, parts.s), parts.k);
}

fn w_exp(x: Wide) -> Wide {
    let up = w_exp_up(x);
    return w_choose(up, w_div(W_ONE, up), x.negative);
}

// e^|x| - 1.
fn w_expm1_up(x: Wide) -> Wide {
    let parts = w_exp_parts(x);
    let up = w_times_power(w_add(W_ONE, parts.s), parts.k);
    return w_choose(w_sub(up, W_ONE), parts.s, parts.k == 0);
}

fn w_expm1(x: Wide) -> Wide {
    let up = w_expm1_up(x);
    return w_choose(up, w_minus(w_div(up, w_add(up, W_ONE))), x.negative);
}

// The hyperbolic tangent; x itself where no digit of 16 bits differs.
fn w_tanh(x: Wide) -> Wide {
    let t = w_tanh_up(x);
    return w_choose(Wide(x.negative, t.e, t.high, t.low), x, x.e < -24);
}

// The hyperbolic tangent of |x|. Where that is |x| but for digits that nobody sees, it is a little less.
fn w_tanh_up(x: Wide) -> Wide {
    let up = w_expm1_up(w_times_power(x, 1));
    let t = w_div(up, w_add(up, w_times_power(W_ONE, 1)));
    let a = w_abs(x);
    return w_choose(t, w_sub(a, w_times_power(a, -60)), x.e < -24);
}

// 1 / (1 + e^|z|), which is up to 1/2: the logistic function of -|z|.
fn w_logistic_tail(z: Wide) -> Wide {
    return w_div(W_ONE, w_add(W_ONE, w_exp_up(z)));
}

fn w_logistic(z: Wide) -> Wide {
    return w_logistic_of(z, w_exp_up(z));
}

// The same where e^|z| is there.
fn w_logistic_of(z: Wide, up: Wide) -> Wide {
    let tail = w_div(W_ONE, w_add(W_ONE, up));
    return w_choose(w_sub(W_ONE, tail), tail, z.negative);
}

// s (1 - s), s the logistic function.
fn w_logistic_slope(z: Wide) -> Wide {
    let tail = w_logistic_tail(z);
    return w_mul(tail, w_sub(W_ONE, tail));
}

// The derivative of z s(z): s (1 + z (1 - s)).
fn w_swish_slope(z: Wide) -> Wide {
    let tail = w_logistic_tail(z);
    let rest = w_sub(W_ONE, tail);
    let s = w_choose(rest, tail, z.negative);
    let other = w_choose(tail, rest, z.negative);
    return w_mul(s, w_add(W_ONE, w_mul(z, other)));
}
