//#use math/sign.wgsl
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub
fn m_is_below_zero(x: f32) -> bool { return x < 0.0; } //#stub

fn act_abs(x: f32) -> f32 {
    return abs(x);
}

fn act_abs_dx(x: f32) -> f32 {
    return select(select(0.0, -1.0, m_is_below_zero(x)), 1.0, m_is_above_zero(x));
}
