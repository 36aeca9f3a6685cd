//#default a = 1.0
fn act_f(x: f32, a: f32) -> f32 {
    return floor(x);
}
