//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_exp(x: Wide) -> Wide { return x; } //#stub
fn w_expm1(x: Wide) -> Wide { return x; } //#stub

fn wide_expm1(x: Wide) -> Wide {
    return w_expm1(x);
}

fn wide_expm1_dx(x: Wide) -> Wide {
    return w_exp(x);
}
