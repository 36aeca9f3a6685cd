fn act_star_relu(x: f32, scale: f32, bias: f32) -> f32 {
    let up = max(x, 0.0);
    return scale * up * up + bias;
}

fn act_star_relu_dx(x: f32, scale: f32, bias: f32) -> f32 {
    return 2.0 * scale * max(x, 0.0);
}

fn act_star_relu_d_scale(x: f32, scale: f32, bias: f32) -> f32 {
    let up = max(x, 0.0);
    return up * up;
}

fn act_star_relu_d_bias(x: f32, scale: f32, bias: f32) -> f32 {
    return 1.0;
}
