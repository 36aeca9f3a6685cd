// The largest z of a row, joined as a whole number: one that orders as z does, and is larger than all of them for a NaN, so
// that no comparison of floats decides what is NaN or infinite.
alias V = vec4<f32>; //#stub
fn max_of(v: V) -> f32 { return v.x; } //#stub

alias First = u32;

const HAS_FIRST: bool = true; // Whether something must be known of the row before its terms.
// Less than all. With it in the place of -inf, z - m is -inf and no NaN where a row is wholly masked.
const FIRST_NOTHING: f32 = -3.4028234e38;

fn row_first(z: V) -> f32 {
    return max_of(z);
}

fn first_join(a: f32, b: f32) -> f32 {
    return max(a, b);
}

fn first_seen(first: f32, nan: bool) -> First {
    let bits = bitcast<u32>(max(first, FIRST_NOTHING));
    let ordered = bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) == 1u);
    return select(ordered, 0xffffffffu, nan);
}

fn first_plus(a: First, b: First) -> First {
    return max(a, b);
}

fn first_value(first: First) -> f32 {
    return bitcast<f32>(first ^ select(0xffffffffu, 0x80000000u, (first >> 31u) == 1u));
}

fn first_is_nan(first: First) -> bool {
    return first == 0xffffffffu;
}

// Infinity, or NaN.
fn first_is_infinite(first: First) -> bool {
    return first >= 0xff800000u;
}
