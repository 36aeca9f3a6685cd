//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_logistic(z: Wide) -> Wide { return z; } //#stub
fn w_swish_slope(z: Wide) -> Wide { return z; } //#stub

// 1.702.
const WIDE_QUICK_GELU: Wide = Wide(false, 0, 0xd9db22d0u, 0xe5604189u);

fn wide_quick_gelu(x: Wide) -> Wide {
    return w_mul(x, w_logistic(w_mul(WIDE_QUICK_GELU, x)));
}

fn wide_quick_gelu_dx(x: Wide) -> Wide {
    return w_swish_slope(w_mul(WIDE_QUICK_GELU, x));
}
