//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_logistic(z: Wide) -> Wide { return z; } //#stub
fn w_swish_slope(z: Wide) -> Wide { return z; } //#stub

fn wide_swish(x: Wide, beta: Wide) -> Wide {
    return w_mul(x, w_logistic(w_mul(beta, x)));
}

fn wide_swish_dx(x: Wide, beta: Wide) -> Wide {
    return w_swish_slope(w_mul(beta, x));
}
