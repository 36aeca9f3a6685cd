// NaN, and infinite gradients, by integers: compilers may take it that no float is NaN, and `min`, `max` and `select`
// make numbers of it. What is NaN when it is loaded is found there; this is for what a step makes.
//#use io/f32.wgsl
fn f32_is_nan(bits: u32) -> bool { return bits > 1u; } //#stub

// What a function made of its argument: v, but NaN of NaN.
fn m_or_nan(v: f32, argument: f32) -> f32 {
    return bitcast<f32>(select(bitcast<u32>(v), 0x7fc00000u, f32_is_nan(bitcast<u32>(argument))));
}

// The same of a parameter that is used for some arguments only.
fn m_or_nan_if(v: f32, parameter: f32, is_used: bool) -> f32 {
    return bitcast<f32>(select(bitcast<u32>(v), 0x7fc00000u, is_used & f32_is_nan(bitcast<u32>(parameter))));
}

// A gradient times a tangent times a second derivative. Where that is exactly zero nothing passes, as in m_masked.
fn m_bent(bend: f32, tangent: f32, gradient: f32) -> f32 {
    let v = select(bend * tangent * gradient, 0.0, bend == 0.0);
    return m_or_nan(m_or_nan(v, tangent), gradient);
}

// A gradient times a derivative. Where that is exactly zero nothing passes, not even an infinite gradient; NaN does.
fn m_masked(gradient: f32, slope: f32) -> f32 {
    let is_infinite = (bitcast<u32>(gradient) & 0x7fffffffu) == 0x7f800000u;
    return select(gradient * slope, 0.0, is_infinite & (slope == 0.0));
}
