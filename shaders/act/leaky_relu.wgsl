fn act_leaky_relu(x: f32, negative_slope: f32) -> f32 {
    return select(negative_slope * x, x, x > 0.0);
}

fn act_leaky_relu_dx(x: f32, negative_slope: f32) -> f32 {
    return select(negative_slope, 1.0, x > 0.0);
}
