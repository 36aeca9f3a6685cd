fn act_relu(x: f32) -> f32 {
    return max(x, 0.0);
}

fn act_relu_dx(x: f32) -> f32 {
    return select(0.0, 1.0, x > 0.0);
}

fn act_relu_dx_from_y(y: f32) -> f32 {
    return select(0.0, 1.0, y > 0.0);
}
