//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_relu_squared(x: Wide) -> Wide {
    return w_choose(w_mul(x, x), W_ZERO, x.negative);
}

fn wide_relu_squared_dx(x: Wide) -> Wide {
    return w_choose(w_times_power(x, 1), W_ZERO, x.negative);
}
