//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub

fn wide_abs(x: Wide) -> Wide {
    return w_abs(x);
}

fn wide_abs_dx(x: Wide) -> Wide {
    return Wide(x.negative, W_ONE.e, W_ONE.high, W_ONE.low);
}
