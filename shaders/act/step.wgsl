//#use math/sign.wgsl
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

fn act_step(x: f32) -> f32 {
    return select(0.0, 1.0, m_is_above_zero(x));
}

fn act_step_dx(x: f32) -> f32 {
    return 0.0;
}

fn act_step_dx_from_y(y: f32) -> f32 {
    return 0.0;
}
