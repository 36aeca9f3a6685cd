//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_logistic_tail(z: Wide) -> Wide { return z; } //#stub
fn w_logistic(z: Wide) -> Wide { return z; } //#stub

// 2 sqrt(2 / pi), and 0.044715.
const WIDE_GELU_TANH_LINE: Wide = Wide(false, 0, 0xcc42299eu, 0xa1b28468u);
const WIDE_GELU_TANH_CUBIC: Wide = Wide(false, -5, 0xb727136au, 0x400fba88u);

fn wide_gelu_tanh_inner(x: Wide) -> Wide {
    return w_mul(w_mul(WIDE_GELU_TANH_LINE, x), w_add(W_ONE, w_mul(w_mul(x, x), WIDE_GELU_TANH_CUBIC)));
}

fn wide_gelu_tanh(x: Wide) -> Wide {
    return w_mul(x, w_logistic(wide_gelu_tanh_inner(x)));
}

fn wide_gelu_tanh_dx(x: Wide) -> Wide {
    let tail = w_logistic_tail(wide_gelu_tanh_inner(x));
    let rest = w_sub(W_ONE, tail);
    let s = w_choose(rest, tail, x.negative);
    let other = w_choose(tail, rest, x.negative);
    let cubic = w_mul(w_mul(x, x), WIDE_GELU_TANH_CUBIC);
    let slope = w_mul(WIDE_GELU_TANH_LINE, w_add(W_ONE, w_add(cubic, w_times_power(cubic, 1))));
    return w_mul(s, w_add(W_ONE, w_mul(w_mul(x, other), slope)));
}
