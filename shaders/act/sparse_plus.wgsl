fn act_sparse_plus(x: f32) -> f32 {
    let up = x + 1.0;
    return select(select(0.25 * (up * up), 0.0, x <= -1.0), x, x >= 1.0);
}

fn act_sparse_plus_dx(x: f32) -> f32 {
    return 0.5 * min(max(x + 1.0, 0.0), 2.0);
}

fn act_sparse_plus_dx_from_y(y: f32) -> f32 {
    return sqrt(min(y, 1.0));
}
