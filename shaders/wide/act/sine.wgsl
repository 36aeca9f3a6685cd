//#use wide/sin.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sin(z: Wide) -> Wide { return z; } //#stub
fn w_cos(z: Wide) -> Wide { return z; } //#stub

fn wide_sine(x: Wide, omega: Wide) -> Wide {
    return w_sin(w_mul(omega, x));
}

fn wide_sine_dx(x: Wide, omega: Wide) -> Wide {
    return w_mul(omega, w_cos(w_mul(omega, x)));
}
