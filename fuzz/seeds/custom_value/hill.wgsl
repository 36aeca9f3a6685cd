//#default width = 1.0
fn act_hill(x: f32, width: f32) -> f32 {
    return 1.0 / (1.0 + x * x * width);
}
