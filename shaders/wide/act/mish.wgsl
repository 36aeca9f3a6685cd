//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_exp(x: Wide) -> Wide { return x; } //#stub

fn wide_mish(x: Wide) -> Wide {
    let q = w_exp(x);
    let up = w_mul(q, w_add(q, w_times_power(W_ONE, 1)));
    return w_mul(x, w_div(up, w_add(up, w_times_power(W_ONE, 1))));
}

fn wide_mish_dx(x: Wide) -> Wide {
    // With u = (1 + e^x)^2 - 1 it is (u (u + 2) + 4 x e^x (1 + e^x)) / (u + 2)^2.
    let q = w_exp(x);
    let up = w_mul(q, w_add(q, w_times_power(W_ONE, 1)));
    let whole = w_add(up, w_times_power(W_ONE, 1));
    let bend = w_times_power(w_mul(x, w_mul(q, w_add(q, W_ONE))), 2);
    return w_div(w_add(w_mul(up, whole), bend), w_mul(whole, whole));
}
