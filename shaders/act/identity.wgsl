fn act_identity(x: f32) -> f32 {
    return x;
}

fn act_identity_dx(x: f32) -> f32 {
    return 1.0;
}
