//#use math/sign.wgsl
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

fn act_relu6(x: f32) -> f32 {
    return min(max(x, 0.0), 6.0);
}

fn act_relu6_dx(x: f32) -> f32 {
    return select(0.0, 1.0, m_is_above_zero(x) & (x < 6.0));
}

fn act_relu6_dx_from_y(y: f32) -> f32 {
    return select(0.0, 1.0, m_is_above_zero(y) & (y < 6.0));
}
