fn act_hardtanh(x: f32, min_val: f32, max_val: f32) -> f32 {
    return min(max(x, min_val), max_val);
}

fn act_hardtanh_dx(x: f32, min_val: f32, max_val: f32) -> f32 {
    return select(0.0, 1.0, (x > min_val) & (x < max_val));
}

fn act_hardtanh_dx_from_y(y: f32, min_val: f32, max_val: f32) -> f32 {
    return select(0.0, 1.0, (y > min_val) & (y < max_val));
}
