//#use math/sign.wgsl
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

// A slope of zero gives zero at minus infinity too.
fn act_leaky_relu(x: f32, negative_slope: f32) -> f32 {
    let down = select(negative_slope * x, 0.0, negative_slope == 0.0);
    return select(down, x, m_is_above_zero(x));
}

fn act_leaky_relu_dx(x: f32, negative_slope: f32) -> f32 {
    return select(negative_slope, 1.0, m_is_above_zero(x));
}

fn act_leaky_relu_dx_from_y(y: f32, negative_slope: f32) -> f32 {
    return select(negative_slope, 1.0, m_is_above_zero(y));
}

fn act_leaky_relu_d_negative_slope(x: f32, negative_slope: f32) -> f32 {
    return min(x, 0.0);
}
