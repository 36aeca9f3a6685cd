fn act_identity(x: f32) -> f32 {
    return x;
}

fn act_identity_dx(x: f32) -> f32 {
    return 1.0;
}

fn act_identity_dx_from_y(y: f32) -> f32 {
    return 1.0;
}
