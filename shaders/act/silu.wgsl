//#use math/sigmoid.wgsl
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub
fn m_swish_derivative(z: f32) -> f32 { return z; } //#stub
fn m_swish_bend(factor: f32, z: f32) -> f32 { return factor * z; } //#stub

fn act_silu(x: f32) -> f32 {
    return m_times_sigmoid(x, x);
}

fn act_silu_dx(x: f32) -> f32 {
    return m_swish_derivative(x);
}

fn act_silu_d2x(x: f32) -> f32 {
    return m_swish_bend(1.0, x);
}
