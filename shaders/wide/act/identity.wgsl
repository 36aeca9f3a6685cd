//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub

fn wide_identity(x: Wide) -> Wide {
    return x;
}

fn wide_identity_dx(x: Wide) -> Wide {
    return W_ONE;
}
