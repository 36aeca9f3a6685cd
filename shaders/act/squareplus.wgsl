// The square of x leaves the range of f32 before the value does: a power of two brings both back, 2^63 or 2^-66. Behind it
// its inverse, since quotients of subnormals are not what they should be everywhere, and products are.
fn squareplus_scale(a: f32, b: f32) -> vec2<f32> {
    let small = (a < 1e-12) & (b < 1e-18);
    let usual = select(vec2(1.0, 1.0), vec2(9.223372036854775808e18, 1.0842021724855044e-19), small);
    return select(usual, vec2(1.35525271560688054e-20, 7.3786976294838206e19), a > 1e18);
}

// Above zero (a + h) / 2, h = sqrt(a^2 + b), a = |x|; below b / (2 (a + h)), which does not cancel.
fn act_squareplus(x: f32, b: f32) -> f32 {
    let a = min(abs(x), 3.4028234e38);
    let powers = squareplus_scale(a, b);
    let scale = powers.x;
    let scaled = a * scale;
    // The square of a subnormal is lost all the same; only without b does that matter.
    let h = select(sqrt(scaled * scaled + b * scale * scale), scaled, b == 0.0);
    let m = 0.5 * (scaled + h);
    // The max makes it infinite with x.
    let y = select(max(m * powers.y, x), 0.25 * b * max(scale, 1.0) / m * min(scale, 1.0), x < 0.0);
    return select(y, 0.0, x < -3.4028234e38);
}

// b / (2 (a h + h^2)) below zero, 1 less that above.
fn act_squareplus_dx(x: f32, b: f32) -> f32 {
    let a = min(abs(x), 3.4028234e38);
    let scale = squareplus_scale(a, b).x;
    let scaled = a * scale;
    let square = scaled * scaled + b * scale * scale;
    let part = 0.5 * b * max(scale, 1.0) / (scaled * sqrt(square) + square);
    let v = part * min(scale, 1.0) * scale;
    return select(1.0 - v, v, x < 0.0);
}

// 4 y^2 / (4 y^2 + b). Of a small y the square may leave the range of f32 where the quotient does not.
fn act_squareplus_dx_from_y(y: f32, b: f32) -> f32 {
    let scale = squareplus_scale(y, b).x;
    let twice = 2.0 * scale * min(y, 3.4028234e38);
    let square = twice * twice;
    let whole = square + b * scale * scale;
    return select(square / whole, twice * (twice / whole), y < 1e-12);
}

// b / (2 h^3), one quotient after the other, since h^3 leaves the range of f32 before it does.
fn act_squareplus_d2x(x: f32, b: f32) -> f32 {
    let a = min(abs(x), 3.4028234e38);
    let scale = squareplus_scale(a, b).x;
    let scaled = a * scale;
    let square = scaled * scaled + b * scale * scale;
    let v = 0.5 * b * max(scale, 1.0) / square * min(scale, 1.0) * scale / sqrt(square) * scale;
    return select(v, 0.0, (b == 0.0) | (square == 0.0));
}
