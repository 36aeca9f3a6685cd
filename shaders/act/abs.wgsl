fn act_abs(x: f32) -> f32 {
    return abs(x);
}

fn act_abs_dx(x: f32) -> f32 {
    return select(select(0.0, -1.0, x < 0.0), 1.0, x > 0.0);
}
