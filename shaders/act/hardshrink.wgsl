fn act_hardshrink(x: f32, lambd: f32) -> f32 {
    return select(x, 0.0, (x >= -lambd) & (x <= lambd));
}

fn act_hardshrink_dx(x: f32, lambd: f32) -> f32 {
    return select(1.0, 0.0, (x >= -lambd) & (x <= lambd));
}

fn act_hardshrink_dx_from_y(y: f32, lambd: f32) -> f32 {
    return select(1.0, 0.0, (y == 0.0) & (lambd >= 0.0));
}
