fn act_relu6(x: f32) -> f32 {
    return min(max(x, 0.0), 6.0);
}

fn act_relu6_dx(x: f32) -> f32 {
    return select(0.0, 1.0, (x > 0.0) & (x < 6.0));
}

fn act_relu6_dx_from_y(y: f32) -> f32 {
    return select(0.0, 1.0, (y > 0.0) & (y < 6.0));
}
