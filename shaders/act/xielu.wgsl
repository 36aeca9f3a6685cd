//#use math/exp.wgsl
//#use math/expm1.wgsl
//#use math/sign.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

// (e^u - 1 - u) / u^2, for u from -1 to 0.
fn xielu_p(u: f32) -> f32 {
    var p = 1.68175484e-5;
    p = p * u + 0.000187990459;
    p = p * u + 0.00138186559;
    p = p * u + 0.00833086018;
    p = p * u + 0.0416662507;
    p = p * u + 0.166666642;
    return p * u + 0.5;
}

// Below zero alpha_n (e^u - 1 - x) + beta x, u = min(x, eps). Down to -1 as alpha_n (u^2 p(u) + (u - x)) + beta x,
// in which nothing cancels that need not; further down as alpha_n (e^u - 1) + (beta - alpha_n) x.
fn act_xielu(x: f32, alpha_p: f32, alpha_n: f32, beta: f32, eps: f32) -> f32 {
    let u = clamp(min(x, eps), -250.0, 0.0);
    let near = alpha_n * (u * u * xielu_p(u) + (u - max(x, -250.0))) + beta * x;
    let slope = beta - alpha_n;
    let far = alpha_n * m_expm1(m_exp(u, 0.0)) + select(slope * x, 0.0, slope == 0.0);
    // As above zero: a factor of zero takes all of x away, an infinite one too.
    let factor = select(alpha_p * x, 0.0, alpha_p == 0.0) + beta;
    let up = select(factor * x, 0.0, factor == 0.0);
    return select(select(near, far, u < -1.0), up, m_is_above_zero(x));
}

fn act_xielu_dx(x: f32, alpha_p: f32, alpha_n: f32, beta: f32, eps: f32) -> f32 {
    let down = m_expm1(m_exp(clamp(x, -250.0, 0.0), 0.0));
    // PyTorch's minimum passes on half at a tie, which leaves e^x / 2 - 1.
    let tied = select(down, 0.5 * down - 0.5, x == eps);
    let n = select(tied, -1.0, x > eps);
    let up = select(2.0 * alpha_p * x, 0.0, alpha_p == 0.0);
    return select(alpha_n * n + beta, up + beta, m_is_above_zero(x));
}

fn act_xielu_d_alpha_p(x: f32, alpha_p: f32, alpha_n: f32, beta: f32, eps: f32) -> f32 {
    let up = max(x, 0.0);
    return up * up;
}

// As in act_xielu, in two forms.
fn act_xielu_d_alpha_n(x: f32, alpha_p: f32, alpha_n: f32, beta: f32, eps: f32) -> f32 {
    let u = clamp(min(x, eps), -250.0, 0.0);
    let near = u * u * xielu_p(u) + (u - max(x, -250.0));
    let far = m_expm1(m_exp(u, 0.0)) - x;
    return select(select(near, far, u < -1.0), 0.0, m_is_above_zero(x));
}

fn act_xielu_d_beta(x: f32, alpha_p: f32, alpha_n: f32, beta: f32, eps: f32) -> f32 {
    return x;
}
