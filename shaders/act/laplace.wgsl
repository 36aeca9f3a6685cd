//#use math/normal.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_normal_exp(a: f32) -> Exp { return Exp(a, 0); } //#stub
fn m_normal_upper(a: f32) -> f32 { return a; } //#stub

// The normal distribution function at v = (x - mu) / sigma: Q(|v|) below zero, 1 less that above.
fn act_laplace(x: f32, mu: f32, sigma: f32) -> f32 {
    let v = (x - mu) / sigma;
    let a = min(abs(v), 20.0);
    let q = m_exp_times(m_normal_exp(a), m_normal_upper(a));
    return select(1.0 - q, q, v < 0.0);
}

// The normal density at v, times by.
fn laplace_density(v: f32, by: f32) -> f32 {
    return m_exp_times(m_normal_exp(min(abs(v), 20.0)), 0.398942292 * by);
}

fn act_laplace_dx(x: f32, mu: f32, sigma: f32) -> f32 {
    return laplace_density((x - mu) / sigma, 1.0 / sigma);
}

fn act_laplace_d_mu(x: f32, mu: f32, sigma: f32) -> f32 {
    return -act_laplace_dx(x, mu, sigma);
}

fn act_laplace_d_sigma(x: f32, mu: f32, sigma: f32) -> f32 {
    let v = (x - mu) / sigma;
    return laplace_density(v, -clamp(v, -20.0, 20.0) / sigma);
}
