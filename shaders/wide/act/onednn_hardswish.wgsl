//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_is_zero(a: Wide) -> bool { return a.negative; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_below(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
const W_ZERO: Wide = Wide(false, -1000000, 0u, 0u); //#stub

fn wide_onednn_hardswish(x: Wide, alpha: Wide, beta: Wide) -> Wide {
    let line = w_add(w_mul(alpha, x), beta);
    let up = w_choose(w_mul(x, line), x, !w_is_below(line, W_ONE));
    return w_choose(up, W_ZERO, line.negative);
}

fn wide_onednn_hardswish_dx(x: Wide, alpha: Wide, beta: Wide) -> Wide {
    let product = w_mul(alpha, x);
    let line = w_add(product, beta);
    let up = w_choose(w_add(line, product), W_ONE, !w_is_below(line, W_ONE));
    return w_choose(up, W_ZERO, line.negative | w_is_zero(line));
}
