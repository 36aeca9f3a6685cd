// A slope of zero gives zero at minus infinity too.
fn act_leaky_relu(x: f32, negative_slope: f32) -> f32 {
    let down = select(negative_slope * x, 0.0, negative_slope == 0.0);
    return select(down, x, x > 0.0);
}

fn act_leaky_relu_dx(x: f32, negative_slope: f32) -> f32 {
    return select(negative_slope, 1.0, x > 0.0);
}

fn act_leaky_relu_dx_from_y(y: f32, negative_slope: f32) -> f32 {
    return select(negative_slope, 1.0, y > 0.0);
}

fn act_leaky_relu_d_negative_slope(x: f32, negative_slope: f32) -> f32 {
    return min(x, 0.0);
}
