//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_smaller(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_smelu(x: Wide, beta: Wide) -> Wide {
    let up = w_add(x, beta);
    let bend = w_div(w_mul(up, up), w_times_power(beta, 2));
    return w_choose(w_choose(x, W_ZERO, x.negative), bend, w_is_smaller(x, beta));
}

fn wide_smelu_dx(x: Wide, beta: Wide) -> Wide {
    let bend = w_div(w_add(x, beta), w_times_power(beta, 1));
    return w_choose(w_choose(W_ONE, W_ZERO, x.negative), bend, w_is_smaller(x, beta));
}
