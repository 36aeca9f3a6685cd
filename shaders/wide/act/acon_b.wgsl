//#use wide/acon.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_acon(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Wide { return x; } //#stub
fn w_acon_dx(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Wide { return x; } //#stub

fn wide_acon_b(x: Wide, p: Wide, beta: Wide) -> Wide {
    return w_acon(x, W_ONE, p, beta);
}

fn wide_acon_b_dx(x: Wide, p: Wide, beta: Wide) -> Wide {
    return w_acon_dx(x, W_ONE, p, beta);
}
