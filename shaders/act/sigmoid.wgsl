//#use math/sigmoid.wgsl
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub
fn m_sigmoid_derivative(z: f32) -> f32 { return z; } //#stub
fn m_sigmoid_bend(factor: f32, z: f32) -> f32 { return factor * z; } //#stub

fn act_sigmoid(x: f32) -> f32 {
    return m_times_sigmoid(1.0, x);
}

fn act_sigmoid_dx(x: f32) -> f32 {
    return m_sigmoid_derivative(x);
}

fn act_sigmoid_dx_from_y(y: f32) -> f32 {
    return y * (1.0 - y);
}

fn act_sigmoid_d2x(x: f32) -> f32 {
    return m_sigmoid_bend(1.0, x);
}
