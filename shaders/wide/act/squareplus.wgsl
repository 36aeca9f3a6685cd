//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_abs(a: Wide) -> Wide { return a; } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sqrt(a: Wide) -> Wide { return a; } //#stub

fn wide_squareplus(x: Wide, b: Wide) -> Wide {
    // Below zero b / (2 (h + |x|)), h = sqrt(x^2 + b), which does not cancel.
    let whole = w_add(w_sqrt(w_add(w_mul(x, x), b)), w_abs(x));
    return w_times_power(w_choose(whole, w_div(b, whole), x.negative), -1);
}

fn wide_squareplus_dx(x: Wide, b: Wide) -> Wide {
    let h = w_sqrt(w_add(w_mul(x, x), b));
    let whole = w_add(h, w_abs(x));
    return w_times_power(w_div(w_choose(whole, w_div(b, whole), x.negative), h), -1);
}
