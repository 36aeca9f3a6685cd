//#use math/sin.wgsl
fn m_turns(z: f32) -> u32 { return u32(z); } //#stub
fn m_sin(z: f32, turns: u32) -> f32 { return z * f32(turns); } //#stub
fn m_cos(turns: u32) -> f32 { return f32(turns); } //#stub
fn m_angle(factor: f32, x: f32) -> f32 { return factor * x; } //#stub
fn m_if_finite(v: f32, x: f32) -> f32 { return v + x; } //#stub

fn act_sine(x: f32, omega: f32) -> f32 {
    let z = m_angle(omega, x);
    return m_if_finite(m_sin(z, m_turns(z)), x);
}

fn act_sine_dx(x: f32, omega: f32) -> f32 {
    return m_if_finite(omega * m_cos(m_turns(m_angle(omega, x))), x);
}

fn act_sine_d_omega(x: f32, omega: f32) -> f32 {
    return m_if_finite(x * m_cos(m_turns(m_angle(omega, x))), x);
}

fn act_sine_d2x(x: f32, omega: f32) -> f32 {
    let z = m_angle(omega, x);
    return m_if_finite(-omega * (omega * m_sin(z, m_turns(z))), x);
}
