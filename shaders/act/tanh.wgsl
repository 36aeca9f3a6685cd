//#use math/exp.wgsl
//#use math/sigmoid.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_value(e: Exp) -> f32 { return e.s; } //#stub
fn m_tanh_derivative(x: f32) -> f32 { return x; } //#stub
fn m_sigmoid_bend(factor: f32, z: f32) -> f32 { return factor * z; } //#stub

// (1 - q) / (1 + q) with q = e^(-2 |x|) loses digits near zero, where x + x^3 p(x^2) does not.
fn act_tanh(x: f32) -> f32 {
    let a = abs(x);
    let q = m_exp_value(m_exp(-2.0 * min(a, 10.0), 0.0));
    let far = (1.0 - q) / (1.0 + q);
    let s = x * x;
    var p = 0.00253037945;
    p = p * s - 0.0085691791;
    p = p * s + 0.0218460876;
    p = p * s - 0.0539707467;
    p = p * s + 0.133333728;
    p = p * s - 0.333333343;
    let near = x + x * (s * p);
    return select(select(far, -far, x < 0.0), near, a < 0.55);
}

fn act_tanh_dx(x: f32) -> f32 {
    return m_tanh_derivative(x);
}

fn act_tanh_dx_from_y(y: f32) -> f32 {
    return (1.0 - y) * (1.0 + y);
}

// tanh(x) is 2 s(2 x) - 1.
fn act_tanh_d2x(x: f32) -> f32 {
    return m_sigmoid_bend(8.0, 2.0 * clamp(x, -150.0, 150.0));
}
