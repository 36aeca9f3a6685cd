fn act_threshold(x: f32, threshold: f32, value: f32) -> f32 {
    return select(value, x, x > threshold);
}

fn act_threshold_dx(x: f32, threshold: f32, value: f32) -> f32 {
    return select(0.0, 1.0, x > threshold);
}

fn act_threshold_dx_from_y(y: f32, threshold: f32, value: f32) -> f32 {
    return select(0.0, 1.0, y > threshold);
}
