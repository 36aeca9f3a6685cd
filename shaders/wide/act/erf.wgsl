//#use wide/exp.wgsl
//#use wide/fixed.wgsl
//#use wide/normal.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_plus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_signed_times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return a; } //#stub
fn w_fraction(a: Wide) -> vec2<u32> { return vec2(a.high, a.low); } //#stub
fn w_of_units(p: vec2<u32>) -> Wide { return Wide(false, 0, p.x, p.y); } //#stub
fn w_exp_up(x: Wide) -> Wide { return x; } //#stub
fn w_tail_ratio(x: Wide) -> Wide { return x; } //#stub

// 2 / sqrt(pi).
const WIDE_ERF_SLOPE: Wide = Wide(false, 0, 0x906eba82u, 0x14db688du);

fn wide_erf(x: Wide) -> Wide {
    // Near zero x times Taylor's series, further out 1 - 2 Q(a) with a = sqrt(2) |x|.
    let square = w_mul(x, x);
    let w = w_fraction(square);
    var p = vec2(0xffffe442u, 0x886ccb11u);
    p = w_plus64(w_signed_times(p, w), vec2(0x0000e00eu, 0x00e00e01u));
    p = w_plus64(w_signed_times(p, w), vec2(0xfff9cb3fu, 0x9cb3f9cbu));
    p = w_plus64(w_signed_times(p, w), vec2(0x0025ed09u, 0x7b425ed1u));
    p = w_plus64(w_signed_times(p, w), vec2(0xff3cf3cfu, 0x3cf3cf3du));
    p = w_plus64(w_signed_times(p, w), vec2(0x03333333u, 0x33333333u));
    p = w_plus64(w_signed_times(p, w), vec2(0xf5555555u, 0x55555555u));
    p = w_plus64(w_signed_times(p, w), vec2(0x20000000u, 0x00000000u));
    let near = w_mul(w_mul(w_abs(x), WIDE_ERF_SLOPE), w_of_units(p));
    let a = w_mul(x, Wide(false, 0, 0xb504f333u, 0xf9de6484u));
    let far = w_sub(W_ONE, w_times_power(w_div(w_tail_ratio(a), w_exp_up(square)), 1));
    let v = w_choose(far, near, x.e < -3);
    return Wide(x.negative, v.e, v.high, v.low);
}

fn wide_erf_dx(x: Wide) -> Wide {
    return w_div(WIDE_ERF_SLOPE, w_exp_up(w_mul(x, x)));
}
