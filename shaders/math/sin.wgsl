// Sines of any finite f32. The argument is reduced by integers, to a whole turn in units of 2^-32: what is left is wrong by
// a few of those units, 5e-9 in all, however large the argument is.

// The first 192 bits of 1 / (2 pi).
const TURN1: u32 = 0x28be60dbu;
const TURN2: u32 = 0x9391054au;
const TURN3: u32 = 0x7f09d5f4u;
const TURN4: u32 = 0x7d4d3770u;
const TURN5: u32 = 0x36d8a566u;
const TURN6: u32 = 0x4f10e410u;

// z / (2 pi) without its whole part, as a fraction of 2^32.
//
// z is m 2^e, m a whole number of 24 bits (Payne and Hanek). Bits of 1 / (2 pi) that m 2^e makes whole turns of do not
// matter, and those so far behind that they cannot reach the fraction do not either: 64 bits in between are left, from bit
// e + 1 on. With 32 bits of zero before them, they begin `skip` bits behind the first.
fn m_turns(z: f32) -> u32 {
    let bits = bitcast<u32>(z);
    let exponent = (bits >> 23u) & 255u;
    // Below 2^-9 there is nothing to skip: m itself is shifted.
    let skip = max(exponent, 118u) - 118u;
    let m = ((bits & 0x7fffffu) | 0x800000u) >> min(118u - min(exponent, 118u), 31u);
    let b1 = skip >= 32u;
    let b2 = skip >= 64u;
    let b3 = skip >= 96u;
    let b4 = skip >= 128u;
    let first = select(select(select(select(0u, TURN1, b1), TURN2, b2), TURN3, b3), TURN4, b4);
    let second = select(select(select(select(TURN1, TURN2, b1), TURN3, b2), TURN4, b3), TURN5, b4);
    let third = select(select(select(select(TURN2, TURN3, b1), TURN4, b2), TURN5, b3), TURN6, b4);
    // Shifts by 32 have no meaning.
    let by = skip & 31u;
    let high = (first << by) | ((second >> 1u) >> (31u - by));
    let low = (second << by) | ((third >> 1u) >> (31u - by));
    // Of m times both, the upper 32 of the lower 64 bits. The float product is wrong by two units at most.
    let turns = m * high + u32(f32(m) * (f32(low) * 2.3283064365386963e-10));
    return select(turns, 0u - turns, (bits & 0x80000000u) != 0u);
}

// The sine of t, -pi / 2 to pi / 2.
fn m_sin_of(t: f32) -> f32 {
    let s = t * t;
    var p = -2.7646923e-8;
    p = p * s + 2.77362869e-6;
    p = p * s - 0.00019844831;
    p = p * s + 0.00833335891;
    p = p * s - 0.166666672;
    return t + t * s * p;
}

// The sine of so many turns. Those between a quarter and three quarters are mirrored; the rest is counted in quarters, u.
// Of sin(u pi / 2) = u + u (pi / 2 - 1 + ...) the first term is exact and the second less than half of the sum, so that
// little is rounded.
fn m_sin_of_turns(turns: u32) -> f32 {
    let is_back = turns + 0x40000000u >= 0x80000000u;
    let near = bitcast<i32>(select(turns, 0x80000000u - turns, is_back));
    let u = f32(near) * 9.313225746154785e-10;
    let s = u * u;
    var p = -2.86986528e-6;
    p = p * s + 0.000158472452;
    p = p * s - 0.00467955787;
    p = p * s + 0.079691492;
    p = p * s - 0.645963848;
    p = p * s + 0.570796311;
    return u + u * p;
}

// Near zero the argument is its own remainder, with all its digits.
fn m_sin(z: f32, turns: u32) -> f32 {
    return select(m_sin_of_turns(turns), m_sin_of(clamp(z, -1.5, 1.5)), abs(z) <= 1.5);
}

fn m_cos(turns: u32) -> f32 {
    return m_sin_of_turns(turns + 0x40000000u);
}

// A product that is too large for f32 has no digits left of an angle; any will do.
fn m_angle(factor: f32, x: f32) -> f32 {
    return clamp(factor * x, -3.4028234e38, 3.4028234e38);
}

// v, but NaN where x is infinite: nothing that goes on turning has a limit.
fn m_if_finite(v: f32, x: f32) -> f32 {
    let is_infinite = (bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u;
    return bitcast<f32>(select(bitcast<u32>(v), 0x7fc00000u, is_infinite));
}
