//#use io/f32.wgsl
fn f32_is_nan(bits: u32) -> bool { return bits > 1u; } //#stub
fn f32_bits(value: f32, nan: bool) -> u32 { return select(bitcast<u32>(value), 0u, nan); } //#stub

// A running sum with one more term, as bits.
fn added(old: u32, term: f32, nan: bool) -> u32 {
    return f32_bits(bitcast<f32>(old) + term, nan | f32_is_nan(old));
}
