// acon_c with p1 = 1.
//#use math/acon.wgsl
fn m_acon(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub
fn m_acon_derivative(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub
fn m_acon_d_p2(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub
fn m_acon_d_beta(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub

fn act_acon_b(x: f32, p: f32, beta: f32) -> f32 {
    return m_acon(x, 1.0, p, beta);
}

fn act_acon_b_dx(x: f32, p: f32, beta: f32) -> f32 {
    return m_acon_derivative(x, 1.0, p, beta);
}

fn act_acon_b_d_p(x: f32, p: f32, beta: f32) -> f32 {
    return m_acon_d_p2(x, 1.0, p, beta);
}

fn act_acon_b_d_beta(x: f32, p: f32, beta: f32) -> f32 {
    return m_acon_d_beta(x, 1.0, p, beta);
}
