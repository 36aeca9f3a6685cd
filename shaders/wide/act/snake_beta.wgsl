//#use wide/sin.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_times_power(a: Wide, k: i32) -> Wide { return a; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_sin(z: Wide) -> Wide { return z; } //#stub

fn wide_snake_beta(x: Wide, alpha: Wide, beta: Wide) -> Wide {
    let sine = w_sin(w_mul(alpha, x));
    return w_add(x, w_div(w_mul(sine, sine), beta));
}

fn wide_snake_beta_dx(x: Wide, alpha: Wide, beta: Wide) -> Wide {
    let sine = w_sin(w_times_power(w_mul(alpha, x), 1));
    return w_add(W_ONE, w_div(w_mul(alpha, sine), beta));
}
