//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_smaller(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_hardshrink(x: Wide, lambd: Wide) -> Wide {
    return w_choose(W_ZERO, x, w_is_smaller(lambd, x));
}

fn wide_hardshrink_dx(x: Wide, lambd: Wide) -> Wide {
    return w_choose(W_ZERO, W_ONE, w_is_smaller(lambd, x));
}
