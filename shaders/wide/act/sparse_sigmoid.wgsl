//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_smaller(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_sparse_sigmoid(x: Wide) -> Wide {
    let end = w_choose(W_ONE, W_ZERO, x.negative);
    return w_choose(end, w_times_power(w_add(x, W_ONE), -1), w_is_smaller(x, W_ONE));
}

fn wide_sparse_sigmoid_dx(x: Wide) -> Wide {
    // At a tie of a minimum or maximum, jax.grad passes on half.
    let end = w_choose(w_times_power(W_ONE, -2), W_ZERO, w_is_smaller(W_ONE, x));
    return w_choose(end, w_times_power(W_ONE, -1), w_is_smaller(x, W_ONE));
}
