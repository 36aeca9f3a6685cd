// A scale of zero takes all of x away, an infinite one too.
fn act_star_relu(x: f32, scale: f32, bias: f32) -> f32 {
    let up = max(x, 0.0);
    return select(scale * up * up, 0.0, scale == 0.0) + bias;
}

fn act_star_relu_dx(x: f32, scale: f32, bias: f32) -> f32 {
    return select(2.0 * scale * max(x, 0.0), 0.0, scale == 0.0);
}

fn act_star_relu_d_scale(x: f32, scale: f32, bias: f32) -> f32 {
    let up = max(x, 0.0);
    return up * up;
}

fn act_star_relu_d_bias(x: f32, scale: f32, bias: f32) -> f32 {
    return 1.0;
}
