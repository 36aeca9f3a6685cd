// A slope of zero takes all of x away from the line, an infinite one too.
fn onednn_hardswish_line(x: f32, alpha: f32) -> f32 {
    return select(alpha * x, 0.0, alpha == 0.0);
}

// -1 where the line alpha x + beta is not above 0, 1 where it reaches 1, and 0 between: 2^24 times what is compared, since
// the product itself may be subnormal.
fn onednn_hardswish_side(x: f32, alpha: f32, beta: f32) -> f32 {
    let line = onednn_hardswish_line(x, 16777216.0 * alpha);
    let is_below = line <= -16777216.0 * beta;
    return select(select(0.0, 1.0, line >= 16777216.0 * (1.0 - beta)), -1.0, is_below);
}

fn act_onednn_hardswish(x: f32, alpha: f32, beta: f32) -> f32 {
    let side = onednn_hardswish_side(x, alpha, beta);
    let inner = x * (onednn_hardswish_line(x, alpha) + beta);
    return select(select(inner, x, side > 0.0), 0.0, side < 0.0);
}

fn act_onednn_hardswish_dx(x: f32, alpha: f32, beta: f32) -> f32 {
    let side = onednn_hardswish_side(x, alpha, beta);
    let inner = onednn_hardswish_line(x, 2.0 * alpha) + beta;
    return select(select(inner, 1.0, side > 0.0), 0.0, side < 0.0);
}

fn act_onednn_hardswish_d_alpha(x: f32, alpha: f32, beta: f32) -> f32 {
    return select(0.0, x * x, onednn_hardswish_side(x, alpha, beta) == 0.0);
}

fn act_onednn_hardswish_d_beta(x: f32, alpha: f32, beta: f32) -> f32 {
    return select(0.0, x, onednn_hardswish_side(x, alpha, beta) == 0.0);
}
