//#use math/sign.wgsl
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

fn act_relu(x: f32) -> f32 {
    return max(x, 0.0);
}

fn act_relu_dx(x: f32) -> f32 {
    return select(0.0, 1.0, m_is_above_zero(x));
}

fn act_relu_dx_from_y(y: f32) -> f32 {
    return select(0.0, 1.0, m_is_above_zero(y));
}
