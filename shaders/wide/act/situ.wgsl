//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_expm1_up(x: Wide) -> Wide { return x; } //#stub
fn w_tanh(x: Wide) -> Wide { return x; } //#stub
fn w_logistic_tail(z: Wide) -> Wide { return z; } //#stub
fn w_logistic(z: Wide) -> Wide { return z; } //#stub

fn wide_situ(x: Wide, beta: Wide) -> Wide {
    return w_mul(w_mul(beta, w_tanh(w_div(x, beta))), w_logistic(x));
}

fn wide_situ_dx(x: Wide, beta: Wide) -> Wide {
    // tanh'(v) s(x) + beta tanh(v) s'(x), with v = x / beta. One exponential has tanh(v) and its slope: with
    // q = 1 / (1 + e^(2 |v|)), they are (e^(2 |v|) - 1) q and 4 q (1 - q).
    let v = w_div(x, beta);
    let up = w_expm1_up(w_times_power(v, 1));
    let q = w_div(W_ONE, w_add(up, w_times_power(W_ONE, 1)));
    let t = w_mul(up, q);
    let tail = w_logistic_tail(x);
    let rest = w_sub(W_ONE, tail);
    let line = w_mul(w_mul(beta, Wide(v.negative, t.e, t.high, t.low)), w_mul(tail, rest));
    let bell = w_times_power(w_mul(q, w_sub(W_ONE, q)), 2);
    return w_add(w_mul(bell, w_choose(rest, tail, x.negative)), line);
}
