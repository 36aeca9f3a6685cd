// See math/acon.wgsl.
//#use math/acon.wgsl
fn m_acon(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub
fn m_acon_derivative(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub
fn m_acon_d_p1(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub
fn m_acon_d_p2(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub
fn m_acon_d_beta(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x; } //#stub

fn act_acon_c(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    return m_acon(x, p1, p2, beta);
}

fn act_acon_c_dx(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    return m_acon_derivative(x, p1, p2, beta);
}

fn act_acon_c_d_p1(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    return m_acon_d_p1(x, p1, p2, beta);
}

fn act_acon_c_d_p2(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    return m_acon_d_p2(x, p1, p2, beta);
}

fn act_acon_c_d_beta(x: f32, p1: f32, p2: f32, beta: f32) -> f32 {
    return m_acon_d_beta(x, p1, p2, beta);
}
