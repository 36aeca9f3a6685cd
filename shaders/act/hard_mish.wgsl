fn act_hard_mish(x: f32) -> f32 {
    let inner = x * (0.5 * x + 1.0);
    return select(select(inner, 0.0, x <= -2.0), x, x >= 0.0);
}

fn act_hard_mish_dx(x: f32) -> f32 {
    return select(select(x + 1.0, 0.0, x < -2.0), 1.0, x >= 0.0);
}
