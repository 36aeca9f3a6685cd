//#use math/sigmoid.wgsl
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub
fn m_swish_derivative(z: f32) -> f32 { return z; } //#stub

fn act_swish(x: f32, beta: f32) -> f32 {
    return m_times_sigmoid(x, beta * x);
}

fn act_swish_dx(x: f32, beta: f32) -> f32 {
    return m_swish_derivative(beta * x);
}
