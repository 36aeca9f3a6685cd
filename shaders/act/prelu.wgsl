//#use math/sign.wgsl
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

// A weight of zero gives zero at minus infinity too.
fn act_prelu(x: f32, weight: f32) -> f32 {
    let down = select(weight * x, 0.0, weight == 0.0);
    return select(down, x, m_is_above_zero(x));
}

fn act_prelu_dx(x: f32, weight: f32) -> f32 {
    return select(weight, 1.0, m_is_above_zero(x));
}

fn act_prelu_dx_from_y(y: f32, weight: f32) -> f32 {
    return select(weight, 1.0, m_is_above_zero(y));
}

fn act_prelu_d_weight(x: f32, weight: f32) -> f32 {
    return min(x, 0.0);
}
