//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub

fn wide_leaky_relu(x: Wide, negative_slope: Wide) -> Wide {
    return w_choose(x, w_mul(negative_slope, x), x.negative);
}

fn wide_leaky_relu_dx(x: Wide, negative_slope: Wide) -> Wide {
    return w_choose(W_ONE, negative_slope, x.negative);
}
