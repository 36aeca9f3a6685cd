//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_smaller(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_softshrink(x: Wide, lambd: Wide) -> Wide {
    let rest = w_sub(w_abs(x), lambd);
    return w_choose(Wide(x.negative, rest.e, rest.high, rest.low), W_ZERO, rest.negative);
}

fn wide_softshrink_dx(x: Wide, lambd: Wide) -> Wide {
    return w_choose(W_ZERO, W_ONE, w_is_smaller(lambd, x));
}
