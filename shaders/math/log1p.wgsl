// log(1 + q) / q for 0 <= q <= 1: the ratio keeps its digits where q is too small for f32.
fn m_log1p_ratio(q: f32) -> f32 {
    var p = -0.00322684762;
    p = p * q + 0.0197892711;
    p = p * q - 0.0568797179;
    p = p * q + 0.10600581;
    p = p * q - 0.153079122;
    p = p * q + 0.196788713;
    p = p * q - 0.249553755;
    p = p * q + 0.333302051;
    p = p * q - 0.499999225;
    return p * q + 1.0;
}
