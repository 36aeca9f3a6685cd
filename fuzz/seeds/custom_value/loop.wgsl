fn act_f(x: f32) -> f32 {
    var y = x;
    while y > 1.0 {
        y *= 0.5;
    }
    return y;
}
