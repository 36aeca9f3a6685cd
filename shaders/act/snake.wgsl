//#use math/sin.wgsl
fn m_turns(z: f32) -> u32 { return u32(z); } //#stub
fn m_sin(z: f32, turns: u32) -> f32 { return z * f32(turns); } //#stub
fn m_angle(factor: f32, x: f32) -> f32 { return factor * x; } //#stub
fn m_if_finite(v: f32, x: f32) -> f32 { return v + x; } //#stub

// sin(alpha x) / alpha; x in the limit of alpha = 0.
fn snake_ratio(sine: f32, x: f32, alpha: f32) -> f32 {
    return select(sine / alpha, x, alpha == 0.0);
}

fn act_snake(x: f32, alpha: f32) -> f32 {
    let z = m_angle(alpha, x);
    let sine = m_sin(z, m_turns(z));
    return x + select(sine * snake_ratio(sine, x, alpha), 0.0, alpha == 0.0);
}

// 1 + sin(2 alpha x), of twice the turns.
fn act_snake_dx(x: f32, alpha: f32) -> f32 {
    let z = m_angle(alpha, x);
    return m_if_finite(1.0 + m_sin(2.0 * z, 2u * m_turns(z)), x);
}

// x sin(2 alpha x) / alpha - (sin(alpha x) / alpha)^2. The square is held below infinity, so that there is a difference.
fn act_snake_d_alpha(x: f32, alpha: f32) -> f32 {
    let z = m_angle(alpha, x);
    let turns = m_turns(z);
    let ratio = snake_ratio(m_sin(z, turns), x, alpha);
    let twice = snake_ratio(m_sin(2.0 * z, 2u * turns), 2.0 * x, alpha);
    return m_if_finite(x * twice - min(ratio * ratio, 3.4028234e38), x);
}
