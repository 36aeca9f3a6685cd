fn act_hardswish(x: f32) -> f32 {
    let inner = x * (x + 3.0) / 6.0;
    return select(select(inner, 0.0, x <= -3.0), x, x >= 3.0);
}

// 2 x + 3 is exact around its root, x / 3 + 1/2 is not.
fn act_hardswish_dx(x: f32) -> f32 {
    let inner = (2.0 * x + 3.0) / 6.0;
    return select(select(inner, 0.0, x <= -3.0), 1.0, x >= 3.0);
}
