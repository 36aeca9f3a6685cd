//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub

// Beyond x = 88.7228317 the value overflows.
fn act_exp(x: f32) -> f32 {
    let y = m_exp_times(m_exp(clamp(x, -250.0, 88.7228317), 0.0), 1.0);
    return select(y, 3e38 * x, x > 88.7228317);
}

fn act_exp_dx(x: f32) -> f32 {
    return act_exp(x);
}

fn act_exp_dx_from_y(y: f32) -> f32 {
    return y;
}

fn act_exp_d2x(x: f32) -> f32 {
    return act_exp(x);
}
