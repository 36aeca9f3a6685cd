//#use math/exp.wgsl
//#use math/expm1.wgsl
struct Exp { s: f32, k: i32 } //#stub
fn m_exp(hi: f32, lo: f32) -> Exp { return Exp(hi + lo, 0); } //#stub
fn m_expm1(e: Exp) -> f32 { return e.s; } //#stub
//#default a = 0.5
//#default b = -0.0
struct own_Pair { low: f32, parts: vec2<f32> }
const own_TABLE = array<f32, 3>(0.5, -1.0, 0.25);
fn own_power(v: f32, n: i32) -> f32 {
    var p = 1.0;
    for (var i = 0; i < n; i++) { p *= v; }
    return p;
}
fn own_bent(v: f32) -> f32 {
    if v > 1.0 { return own_power(v, 2); } else if v < -1.0 { return -v; }
    return v * 0.5;
}
fn act_own(x: f32, a: f32, b: f32) -> f32 {
    let pair = own_Pair(m_expm1(m_exp(min(x, 0.0), 0.0)), vec2(a, own_TABLE[1]));
    var y = vec3(own_bent(x), pair.low * a, clamp(x, -a, 2.0));
    y.z += length(pair.parts);
    switch 2 { case 1, 2: { y.x = max(y.x, b); } default: { return x; } }
    return dot(y, vec3(1.0)) + select(b, a * x, x > 0.0 && y.z < 3.0);
}
