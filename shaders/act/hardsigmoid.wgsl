fn act_hardsigmoid(x: f32) -> f32 {
    return min(max(x + 3.0, 0.0), 6.0) / 6.0;
}

fn act_hardsigmoid_dx(x: f32) -> f32 {
    return select(0.0, 1.0 / 6.0, (x > -3.0) & (x < 3.0));
}

fn act_hardsigmoid_dx_from_y(y: f32) -> f32 {
    return select(0.0, 1.0 / 6.0, (y > 0.0) & (y < 1.0));
}
