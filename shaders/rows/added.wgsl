//#use io/f32.wgsl
fn f32_is_nan(bits: u32) -> bool { return bits > 1u; } //#stub
fn f32_bits(value: f32, nan: bool) -> u32 { return select(bitcast<u32>(value), 0u, nan); } //#stub

// A running sum with one more term, as bits. What lies where the first goes is nobody's.
fn added(old: u32, is_first: bool, term: f32, nan: bool) -> u32 {
    let sum = select(bitcast<f32>(old), 0.0, is_first) + term;
    return f32_bits(sum, nan | (!is_first & f32_is_nan(old)));
}
