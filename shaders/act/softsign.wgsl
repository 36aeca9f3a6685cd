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
