fn act_hardtanh(x: f32, min_val: f32, max_val: f32) -> f32 {
    return min(max(x, min_val), max_val);
}

// A bound may be infinite, and an infinite x is not beyond it.
fn act_hardtanh_dx(x: f32, min_val: f32, max_val: f32) -> f32 {
    let near = clamp(x, -3.4028234e38, 3.4028234e38);
    return select(0.0, 1.0, (near > min_val) & (near < max_val));
}

fn act_hardtanh_dx_from_y(y: f32, min_val: f32, max_val: f32) -> f32 {
    return act_hardtanh_dx(y, min_val, max_val);
}
