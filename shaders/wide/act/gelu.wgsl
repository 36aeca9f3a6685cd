//#use wide/normal.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_tail_ratio(x: Wide) -> Wide { return x; } //#stub
fn w_square_exp(x: Wide) -> Wide { return x; } //#stub
fn w_distribution(x: Wide) -> Wide { return x; } //#stub
const W_DENSITY: Wide = Wide(false, -2, 0xcc42299eu, 0xa1b28468u); //#stub

fn wide_gelu(x: Wide) -> Wide {
    return w_mul(x, w_distribution(x));
}

fn wide_gelu_dx(x: Wide) -> Wide {
    // Q(a) - a times the density, a = |x|, is what is missing of 1 above zero, and all below.
    let rest = w_sub(w_tail_ratio(x), w_mul(w_abs(x), W_DENSITY));
    let slope = w_div(rest, w_square_exp(x));
    return w_choose(w_sub(W_ONE, slope), slope, x.negative);
}
