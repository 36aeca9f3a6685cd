//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_minus(a: Wide) -> Wide { return a; } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_is_below(a: Wide, b: Wide) -> bool { return a.negative; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_expm1(x: Wide) -> Wide { return x; } //#stub

fn wide_xielu(x: Wide, alpha_p: Wide, alpha_n: Wide, beta: Wide, eps: Wide) -> Wide {
    let up = w_add(w_mul(alpha_p, w_mul(x, x)), w_mul(beta, x));
    let least = w_choose(eps, x, w_is_below(x, eps));
    let down = w_add(w_mul(alpha_n, w_sub(w_expm1(least), x)), w_mul(beta, x));
    return w_choose(up, down, x.negative);
}

fn wide_xielu_dx(x: Wide, alpha_p: Wide, alpha_n: Wide, beta: Wide, eps: Wide) -> Wide {
    let up = w_add(w_times_power(w_mul(alpha_p, x), 1), beta);
    let bend = w_expm1(x);
    // PyTorch's minimum passes on half at a tie, which leaves e^x / 2 - 1.
    let tied = w_times_power(w_sub(bend, W_ONE), -1);
    let above = w_choose(tied, w_minus(W_ONE), w_is_below(eps, x));
    let slope = w_choose(above, bend, w_is_below(x, eps));
    return w_choose(up, w_add(w_mul(alpha_n, slope), beta), x.negative);
}
