fn act_f(x: f32) -> f32 {
    let exp = x * x; let d_exp = exp + x; let near = sin(d_exp * exp);
    { let x = near / 2.0; let t1 = x * x * near; return t1 * exp / d_exp; }
}
