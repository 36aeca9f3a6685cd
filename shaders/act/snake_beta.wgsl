//#use math/sin.wgsl
fn m_turns(z: f32) -> u32 { return u32(z); } //#stub
fn m_sin(z: f32, turns: u32) -> f32 { return z * f32(turns); } //#stub
fn m_angle(factor: f32, x: f32) -> f32 { return factor * x; } //#stub
fn m_if_finite(v: f32, x: f32) -> f32 { return v + x; } //#stub

fn act_snake_beta(x: f32, alpha: f32, beta: f32) -> f32 {
    let z = m_angle(alpha, x);
    let sine = m_sin(z, m_turns(z));
    return x + sine * (sine / beta);
}

// sin(2 alpha x) / beta, of twice the turns.
fn snake_beta_twice(x: f32, alpha: f32, beta: f32) -> f32 {
    let z = m_angle(alpha, x);
    return m_sin(2.0 * z, 2u * m_turns(z)) / beta;
}

fn act_snake_beta_dx(x: f32, alpha: f32, beta: f32) -> f32 {
    return m_if_finite(1.0 + snake_beta_twice(x, alpha, beta) * alpha, x);
}

fn act_snake_beta_d_alpha(x: f32, alpha: f32, beta: f32) -> f32 {
    return m_if_finite(x * snake_beta_twice(x, alpha, beta), x);
}

fn act_snake_beta_d_beta(x: f32, alpha: f32, beta: f32) -> f32 {
    let z = m_angle(alpha, x);
    let ratio = m_sin(z, m_turns(z)) / beta;
    return m_if_finite(-ratio * ratio, x);
}
