//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_below(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_relu6(x: Wide) -> Wide {
    let six = Wide(false, 2, 0xc0000000u, 0u);
    let up = w_choose(x, W_ZERO, x.negative);
    return w_choose(six, up, w_is_below(up, six));
}

fn wide_relu6_dx(x: Wide) -> Wide {
    let six = Wide(false, 2, 0xc0000000u, 0u);
    return w_choose(W_ZERO, W_ONE, !x.negative & w_is_below(x, six));
}
