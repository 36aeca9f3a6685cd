//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_smaller(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_hardswish(x: Wide) -> Wide {
    let three = Wide(false, 1, 0xc0000000u, 0u);
    let inner = w_div(w_mul(x, w_add(x, three)), w_times_power(three, 1));
    let end = w_choose(x, W_ZERO, x.negative);
    return w_choose(end, inner, w_is_smaller(x, three));
}

fn wide_hardswish_dx(x: Wide) -> Wide {
    let three = Wide(false, 1, 0xc0000000u, 0u);
    let inner = w_div(w_add(w_times_power(x, 1), three), w_times_power(three, 1));
    let end = w_choose(W_ONE, W_ZERO, x.negative);
    return w_choose(end, inner, w_is_smaller(x, three));
}
