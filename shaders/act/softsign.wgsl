//#use math/sign.wgsl
fn m_is_above_zero(x: f32) -> bool { return x > 0.0; } //#stub
fn m_is_below_zero(x: f32) -> bool { return x < 0.0; } //#stub

// At |x| = 1e30 the value has long reached its limit.
fn act_softsign(x: f32) -> f32 {
    let bounded = clamp(x, -1e30, 1e30);
    return bounded / (1.0 + abs(bounded));
}

// 1 / (1 + |x|)^2. Of 1 + |x| the leading 12 bits are squared exactly, and the rest comes in after. At 1.2e19
// the result is below the normal numbers.
fn act_softsign_dx(x: f32) -> f32 {
    let a = min(abs(x), 1.2e19);
    let head = bitcast<f32>(bitcast<u32>(1.0 + a) & 0xfffff000u);
    let rest = (max(a, 1.0) - head) + min(a, 1.0);
    let square = head * head + rest * (2.0 * head + rest);
    return select(1.0 / square, 0.0, a >= 1.2e19);
}

fn act_softsign_dx_from_y(y: f32) -> f32 {
    let rest = 1.0 - abs(y);
    return rest * rest;
}

// -2 / (1 + |x|)^3, with the sign of x: the derivative has a corner at zero.
fn act_softsign_d2x(x: f32) -> f32 {
    let whole = 1.0 + min(abs(x), 1e14);
    let v = select(2.0 / (whole * whole) / whole, 0.0, abs(x) >= 1e14);
    return select(select(0.0, v, m_is_below_zero(x)), -v, m_is_above_zero(x));
}
