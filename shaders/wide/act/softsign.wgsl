//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_inverse(a: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub

fn wide_softsign(x: Wide) -> Wide {
    return w_div(x, w_add(W_ONE, w_abs(x)));
}

fn wide_softsign_dx(x: Wide) -> Wide {
    let whole = w_add(W_ONE, w_abs(x));
    return w_inverse(w_mul(whole, whole));
}
