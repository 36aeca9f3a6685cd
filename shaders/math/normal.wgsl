// The upper tail of the normal distribution, Q(a) = erfc(a / sqrt 2) / 2 for a >= 0, without its
// exponential: what is left is smooth, and the exponential carries the range.
//#use math/exp.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub

// At a = 20 the tail, times any f32, has long reached zero.
const NORMAL_END: f32 = 20.0;

// e^(-a^2 / 2). The square is needed to more digits than f32 holds: the leading 12 bits of a squared
// exactly, the rest is handed on as lo.
fn m_normal_exp(a: f32) -> Exp {
    let head = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
    return m_exp(-0.5 * head * head, -0.5 * ((a + head) * (a - head)));
}

// a Q(a) e^(a^2 / 2), 0 <= a <= 20: u / (sqrt(2 pi) u + P(a)) with u = a Q(a), a form in which the
// error of u cancels where a is large. The constants 1 and 2 of Q and P are added last.
fn m_normal_tail(a: f32) -> f32 {
    var q = 0.00315398001;
    q = q * a + 0.0350509509;
    q = q * a + 0.191218451;
    q = q * a + 0.609284341;
    q = q * a + 1.1285677;
    var p = 0.00790608209;
    p = p * a + 0.0878461376;
    p = p * a + 0.463853568;
    p = p * a + 1.34627497;
    let u = a + a * a * q;
    return u / (2.0 + (2.50662827 * u + a * p));
}

// The derivative of a Q(a), times -e^(a^2 / 2): a / sqrt(2 pi) - Q(a) e^(a^2 / 2), 0 <= a <= 20. Its root,
// at a = 0.752, is a factor, in two parts; the other factor varies little.
fn m_normal_tail_slope(a: f32) -> f32 {
    var p = 0.0023607614;
    p = p * a + 0.0240002107;
    p = p * a + 0.10842482;
    p = p * a + 0.253126949;
    p = p * a + 0.266135722;
    var q = 0.00787123945;
    q = q * a + 0.0845756233;
    q = q * a + 0.413810998;
    q = q * a + 1.11273384;
    q = q * a + 1.61489201;
    q = q * a + 1.0;
    return ((a - 0.751791537) + 1.21144495e-8) * (0.398942280 + p / q);
}
