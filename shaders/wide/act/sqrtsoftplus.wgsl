//#use wide/exp.wgsl
//#use wide/log.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sqrt(a: Wide) -> Wide { return a; } //#stub
fn w_exp_up(x: Wide) -> Wide { return x; } //#stub
fn w_logistic_of(z: Wide, up: Wide) -> Wide { return up; } //#stub
fn w_softplus(z: Wide) -> Wide { return z; } //#stub
fn w_softplus_of(z: Wide, up: Wide) -> Wide { return up; } //#stub

fn wide_sqrtsoftplus(x: Wide) -> Wide {
    return w_sqrt(w_softplus(x));
}

fn wide_sqrtsoftplus_dx(x: Wide) -> Wide {
    let up = w_exp_up(x);
    return w_times_power(w_div(w_logistic_of(x, up), w_sqrt(w_softplus_of(x, up))), -1);
}
