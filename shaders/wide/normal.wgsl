// The normal distribution, wrong by some 2^-36 of itself.
//#use wide/exp.wgsl
//#use wide/fixed.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_plus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_signed_times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_fraction(a: Wide) -> vec2<u32> { return vec2(a.high, a.low); } //#stub
fn w_of_units(p: vec2<u32>) -> Wide { return Wide(false, 0, p.x, p.y); } //#stub
fn w_exp_up(x: Wide) -> Wide { return x; } //#stub

// 1 / sqrt(2 pi).
const W_DENSITY: Wide = Wide(false, -2, 0xcc42299eu, 0xa1b28468u);

// Q(a) e^(a^2 / 2), Q the upper tail, for a = |x|: a polynomial of a / (a + 4), made for a up to 14.5. Beyond, the
// exponential leaves nothing. Coefficients by tools/wide.py.
fn w_tail_ratio(x: Wide) -> Wide {
    let far = x.e >= 4;
    let a = w_choose(w_abs(x), W_ONE, far);
    let u = w_fraction(w_div(a, w_add(a, w_times_power(W_ONE, 2))));
    var p = vec2(0xffeb201du, 0xcaf64dbeu);
    p = w_plus64(w_signed_times(p, u), vec2(0x007f6fd0u, 0xac328a59u));
    p = w_plus64(w_signed_times(p, u), vec2(0xfeba1815u, 0xd1cdae6fu));
    p = w_plus64(w_signed_times(p, u), vec2(0x01ceb068u, 0x79f75259u));
    p = w_plus64(w_signed_times(p, u), vec2(0xfe436f8bu, 0xa872b39du));
    p = w_plus64(w_signed_times(p, u), vec2(0x01647d8bu, 0x48d1d03bu));
    p = w_plus64(w_signed_times(p, u), vec2(0xff4c6434u, 0x9d012b80u));
    p = w_plus64(w_signed_times(p, u), vec2(0xfff75891u, 0x3139a5e9u));
    p = w_plus64(w_signed_times(p, u), vec2(0xff8c2355u, 0x3ab3f0dcu));
    p = w_plus64(w_signed_times(p, u), vec2(0x0099b66au, 0xf1bec35bu));
    p = w_plus64(w_signed_times(p, u), vec2(0x01b9355au, 0x7818a800u));
    p = w_plus64(w_signed_times(p, u), vec2(0xff385a39u, 0xfbe68241u));
    p = w_plus64(w_signed_times(p, u), vec2(0xf94f24a7u, 0x8edb122du));
    p = w_plus64(w_signed_times(p, u), vec2(0x035d774eu, 0x3a77b4eau));
    p = w_plus64(w_signed_times(p, u), vec2(0x1be6cf1au, 0xd58c0c7fu));
    p = w_plus64(w_signed_times(p, u), vec2(0xbc973e1au, 0x41164860u));
    p = w_plus64(w_signed_times(p, u), vec2(0x4cef7598u, 0x5738b06cu));
    p = w_plus64(w_signed_times(p, u), vec2(0xccef7598u, 0x5793f2e8u));
    p = w_plus64(w_signed_times(p, u), vec2(0x0fffffffu, 0xffffffd7u));
    return w_of_units(p);
}

// e^(x^2 / 2).
fn w_square_exp(x: Wide) -> Wide {
    return w_exp_up(w_times_power(w_mul(x, x), -1));
}

// Q(|x|); where that is 1/2 - |x| / sqrt(2 pi), so that it is on the right side of 1/2.
fn w_normal_tail(x: Wide) -> Wide {
    let near = w_sub(w_times_power(W_ONE, -1), w_mul(w_abs(x), W_DENSITY));
    return w_choose(w_div(w_tail_ratio(x), w_square_exp(x)), near, x.e < -24);
}

// The normal distribution function, and its derivative.
fn w_distribution(x: Wide) -> Wide {
    let tail = w_normal_tail(x);
    return w_choose(w_sub(W_ONE, tail), tail, x.negative);
}

fn w_density(x: Wide) -> Wide {
    return w_div(W_DENSITY, w_square_exp(x));
}
