fn act_sparse_sigmoid(x: f32) -> f32 {
    return 0.5 * min(max(x + 1.0, 0.0), 2.0);
}

fn act_sparse_sigmoid_dx(x: f32) -> f32 {
    return select(0.0, 0.5, (x > -1.0) & (x < 1.0));
}

fn act_sparse_sigmoid_dx_from_y(y: f32) -> f32 {
    return select(0.0, 0.5, (y > 0.0) & (y < 1.0));
}
