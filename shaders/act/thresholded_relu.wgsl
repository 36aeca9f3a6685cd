fn act_thresholded_relu(x: f32, alpha: f32) -> f32 {
    return select(0.0, x, x > alpha);
}

fn act_thresholded_relu_dx(x: f32, alpha: f32) -> f32 {
    return select(0.0, 1.0, x > alpha);
}

fn act_thresholded_relu_dx_from_y(y: f32, alpha: f32) -> f32 {
    return select(0.0, 1.0, y > 0.0);
}
