// Philox 4x32-10, a counter-based generator: Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3.
// Four numbers of 32 bits for each counter.
//#use math/divide.wgsl
fn m_multiply_high(a: u32, b: u32) -> u32 { return a * b; } //#stub

fn m_philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round += 1u) {
        let high0 = m_multiply_high(c.x, 0xd2511f53u);
        let high1 = m_multiply_high(c.z, 0xcd9e8d57u);
        c = vec4(high1 ^ c.y ^ k.x, c.z * 0xcd9e8d57u, high0 ^ c.w ^ k.y, c.x * 0xd2511f53u);
        k += vec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// A number from lower to upper, of the 2^24 that are evenly spaced from 0 up to 1.
fn m_uniform(bits: u32, lower: f32, upper: f32) -> f32 {
    return lower + (upper - lower) * (f32(bits >> 8u) * 5.9604644775390625e-8);
}

// Zero with probability p, else kept. p times 2^32 is exact.
fn m_keep(bits: u32, p: f32, kept: f32) -> f32 {
    return select(kept, 0.0, bits < u32(p * 4294967296.0));
}
