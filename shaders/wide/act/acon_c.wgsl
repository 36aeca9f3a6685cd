//#use wide/acon.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_acon(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Wide { return x; } //#stub
fn w_acon_dx(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Wide { return x; } //#stub

fn wide_acon_c(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Wide {
    return w_acon(x, p1, p2, beta);
}

fn wide_acon_c_dx(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Wide {
    return w_acon_dx(x, p1, p2, beta);
}
