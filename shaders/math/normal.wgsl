// The normal distribution's upper tail, Q(a) = erfc(a / sqrt 2) / 2 for a >= 0, as
// e^(-a^2 / 2) * ratio. The ratio is smooth and falls like 1 / a; the exponential carries the range.
//#use math/exp.wgsl
struct Exp { m: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub

// At a = 20 the tail, times any f32, has long reached zero.
const NORMAL_END: f32 = 20.0;

// e^(-a^2 / 2). The square is needed to more digits than f32 holds: the leading 12 bits of a square
// exactly, the rest is handed on as lo.
fn m_normal_exp(a: f32) -> Exp {
    let head = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
    return m_exp(-0.5 * head * head, -0.5 * ((a + head) * (a - head)));
}

// Q(a) * e^(a^2 / 2), 0 <= a <= 20.
fn m_normal_ratio(a: f32) -> f32 {
    var p = 0.00424255105;
    p = p * a + 0.0414626524;
    p = p * a + 0.185660094;
    p = p * a + 0.441509366;
    p = p * a + 0.5;
    var q = 0.0106343981;
    q = q * a + 0.103937045;
    q = q * a + 0.475881279;
    q = q * a + 1.21248138;
    q = q * a + 1.68090391;
    q = q * a + 1.0;
    return p / q;
}
