//#use math/exp.wgsl
//#use math/expm1.wgsl
//#use math/sign.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_exp_times(e: Exp, v: f32) -> f32 { return v * e.s; } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub

const SELU_UP: f32 = 1.05070102;
const SELU_DOWN: f32 = 1.75809932;
const SELU_DOWN_REST: f32 = 2.32967174e-8;

fn act_selu(x: f32) -> f32 {
    let down = SELU_DOWN * m_expm1(m_exp(clamp(x, -250.0, 0.0), 0.0));
    return select(down, SELU_UP * x, m_is_above_zero(x));
}

fn act_selu_dx(x: f32) -> f32 {
    let down = m_exp_times(m_exp(clamp(x, -250.0, 0.0), 0.0), SELU_DOWN);
    return select(down, SELU_UP, m_is_above_zero(x));
}

// The max changes nothing, but keeps a compiler from adding the parts of the constant up again.
fn act_selu_dx_from_y(y: f32) -> f32 {
    return select(max(y + SELU_DOWN, 0.0) + SELU_DOWN_REST, SELU_UP, m_is_above_zero(y));
}

fn act_selu_d2x(x: f32) -> f32 {
    let down = m_exp_times(m_exp(clamp(x, -250.0, 0.0), 0.0), SELU_DOWN);
    return select(down, 0.0, m_is_above_zero(x));
}
