//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_relu(x: Wide) -> Wide {
    return w_choose(x, W_ZERO, x.negative);
}

fn wide_relu_dx(x: Wide) -> Wide {
    return w_choose(W_ONE, W_ZERO, x.negative);
}
