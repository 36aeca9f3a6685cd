fn act_f(x: f32) -> f32 {
    var y = x;
    for (var i = 0u; i < 4000000000u; i++) { y = sin(y) + f32(i); }
    return y;
}
