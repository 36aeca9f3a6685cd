// A slope of zero takes all of x away, an infinite one too.
fn onnx_hardsigmoid_product(x: f32, alpha: f32) -> f32 {
    return select(alpha * x, 0.0, alpha == 0.0);
}

fn act_onnx_hardsigmoid(x: f32, alpha: f32, beta: f32) -> f32 {
    return min(max(onnx_hardsigmoid_product(x, alpha) + beta, 0.0), 1.0);
}

fn act_onnx_hardsigmoid_dx(x: f32, alpha: f32, beta: f32) -> f32 {
    // 2^24 times what is compared, since the product itself may be subnormal.
    let product = onnx_hardsigmoid_product(x, 16777216.0 * alpha);
    let inside = (product > -16777216.0 * beta) & (product < 16777216.0 * (1.0 - beta));
    return select(0.0, alpha, inside);
}

fn act_onnx_hardsigmoid_dx_from_y(y: f32, alpha: f32, beta: f32) -> f32 {
    return select(0.0, alpha, (y > 0.0) & (y < 1.0));
}
