//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_exp(x: Wide) -> Wide { return x; } //#stub

fn wide_exp(x: Wide) -> Wide {
    return w_exp(x);
}

fn wide_exp_dx(x: Wide) -> Wide {
    return w_exp(x);
}
