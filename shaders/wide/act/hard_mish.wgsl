//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_smaller(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_hard_mish(x: Wide) -> Wide {
    let two = w_times_power(W_ONE, 1);
    let inner = w_times_power(w_mul(x, w_add(x, two)), -1);
    let down = w_choose(W_ZERO, inner, w_is_smaller(x, two));
    return w_choose(x, down, x.negative);
}

fn wide_hard_mish_dx(x: Wide) -> Wide {
    let two = w_times_power(W_ONE, 1);
    let down = w_choose(w_add(x, W_ONE), W_ZERO, w_is_smaller(two, x));
    return w_choose(W_ONE, down, x.negative);
}
