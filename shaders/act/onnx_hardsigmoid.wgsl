fn act_onnx_hardsigmoid(x: f32, alpha: f32, beta: f32) -> f32 {
    return min(max(alpha * x + beta, 0.0), 1.0);
}

fn act_onnx_hardsigmoid_dx(x: f32, alpha: f32, beta: f32) -> f32 {
    let product = alpha * x;
    return select(0.0, alpha, (product > -beta) & (product < 1.0 - beta));
}

fn act_onnx_hardsigmoid_dx_from_y(y: f32, alpha: f32, beta: f32) -> f32 {
    return select(0.0, alpha, (y > 0.0) & (y < 1.0));
}
