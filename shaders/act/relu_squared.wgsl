fn act_relu_squared(x: f32) -> f32 {
    let up = max(x, 0.0);
    return up * up;
}

fn act_relu_squared_dx(x: f32) -> f32 {
    return 2.0 * max(x, 0.0);
}

fn act_relu_squared_dx_from_y(y: f32) -> f32 {
    return 2.0 * sqrt(y);
}
