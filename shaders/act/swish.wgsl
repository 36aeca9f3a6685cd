//#use math/sigmoid.wgsl
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub
fn m_swish_derivative(z: f32) -> f32 { return z; } //#stub
fn m_swish_bend(factor: f32, z: f32) -> f32 { return factor * z; } //#stub
fn m_square_bell(half: f32, a: f32, b: f32, z: f32) -> f32 { return half; } //#stub

// x is finite here, so that a beta of zero gives zero.
fn swish_z(x: f32, beta: f32) -> f32 {
    return beta * clamp(x, -3.4028234e38, 3.4028234e38);
}

fn act_swish(x: f32, beta: f32) -> f32 {
    return m_times_sigmoid(x, swish_z(x, beta));
}

fn act_swish_dx(x: f32, beta: f32) -> f32 {
    return m_swish_derivative(swish_z(x, beta));
}

fn act_swish_d_beta(x: f32, beta: f32) -> f32 {
    let half = 0.5 * clamp(x, -3.4028234e38, 3.4028234e38);
    return m_square_bell(half, 1.0, 1.0, swish_z(x, beta));
}

fn act_swish_d2x(x: f32, beta: f32) -> f32 {
    return m_swish_bend(beta, swish_z(x, beta));
}
