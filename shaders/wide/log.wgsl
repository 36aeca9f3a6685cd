// Logarithms, wrong by some 2^-38 of themselves.
//#use math/divide.wgsl
//#use wide/exp.wgsl
//#use wide/fixed.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn m_multiply_high(a: u32, b: u32) -> u32 { return a * b; } //#stub
fn w_plus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_normal(negative: bool, e: i32, m: vec2<u32>) -> Wide { return Wide(false, 0, m.x, m.y); } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub
fn w_fraction_times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_fraction(a: Wide) -> vec2<u32> { return vec2(a.high, a.low); } //#stub
fn w_exp_up(x: Wide) -> Wide { return x; } //#stub

// log(1 + q) for q from 0 to 1: 2 u (1 + u^2 / 3 + ...), u = q / (2 + q). Coefficients by tools/wide.py.
fn w_log1p(q: Wide) -> Wide {
    let u = w_div(q, w_add(q, w_times_power(W_ONE, 1)));
    let w = w_fraction(w_mul(u, u));
    var t = 0x5b2dad48u;
    t = m_multiply_high(t, w.x) + 0x3e39a788u;
    t = m_multiply_high(t, w.x) + 0x4f5bec56u;
    t = m_multiply_high(t, w.x) + 0x5d0f3cbau;
    t = m_multiply_high(t, w.x) + 0x71c75764u;
    t = m_multiply_high(t, w.x) + 0x924923bfu;
    t = m_multiply_high(t, w.x) + 0xccccccceu;
    var p = vec2(t >> 3u, t << 29u);
    p = w_plus64(w_fraction_times(p, w), vec2(0x2aaaaaaau, 0xaaa2ae50u));
    p = w_plus64(w_fraction_times(p, w), vec2(0x80000000u, 0u));
    return w_times_power(w_mul(u, w_normal(false, 0, p)), 1);
}

// log(1 + e^z).
fn w_softplus(z: Wide) -> Wide {
    return w_softplus_of(z, w_exp_up(z));
}

// The same where e^|z| is there.
fn w_softplus_of(z: Wide, up: Wide) -> Wide {
    let rest = w_log1p(w_div(W_ONE, up));
    return w_add(rest, w_choose(z, W_ZERO, z.negative));
}
