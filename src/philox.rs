//! The numbers that random steps draw: Philox 4x32-10, as shaders/math/philox.wgsl has it.

/// Four numbers of 32 bits for a counter and a key: Salmon et al. 2011, Parallel Random Numbers: As Easy as
/// 1, 2, 3.
pub(crate) fn philox(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let all = u64::from(a) * u64::from(b);
        ((all >> 32) as u32, all as u32)
    };
    for _ in 0..10 {
        let (high0, low0) = product(c[0], 0xd251_1f53);
        let (high1, low1) = product(c[2], 0xcd9e_8d57);
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0];
        k = [
            k[0].wrapping_add(0x9e37_79b9),
            k[1].wrapping_add(0xbb67_ae85),
        ];
    }
    c
}

/// What the k-th random step draws for an element: 32 bits.
pub(crate) fn draw([seed, offset]: [u64; 2], step: u64, element: u64) -> u32 {
    let offset = offset.wrapping_add(step);
    let counter = [
        (element / 4) as u32,
        0,
        offset as u32,
        (offset >> 32) as u32,
    ];
    philox(counter, [seed as u32, (seed >> 32) as u32])[(element % 4) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors that the authors publish with Random123 (kat_vectors).
    #[test]
    fn published_vectors() {
        let cases = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, wanted) in cases {
            assert_eq!(philox(counter, key), wanted);
        }
    }

    #[test]
    fn draws_are_even_and_independent() {
        let bits: Vec<u32> = (0..1 << 20).map(|i| draw([1, 2], 0, i)).collect();
        // Each of 256 values of the upper byte, 4,096 times, give or take 5 standard deviations.
        let mut counts = [0i32; 256];
        bits.iter().for_each(|b| counts[(b >> 24) as usize] += 1);
        assert!(
            counts.iter().all(|c| (c - 4096).abs() < 5 * 64),
            "{counts:?}"
        );
        let ones = |i: u32| bits.iter().filter(|b| *b >> i & 1 == 1).count() as i64;
        assert!((0..32).all(|i| (ones(i) - (1 << 19)).abs() < 5 * 512));
        // Neighbours, other seeds, offsets and steps have nothing in common.
        let others: [Vec<u32>; 4] = [
            bits[1..].to_vec(),
            (0..1 << 20).map(|i| draw([2, 2], 0, i)).collect(),
            (0..1 << 20).map(|i| draw([1, 3], 0, i)).collect(),
            (0..1 << 20).map(|i| draw([1, 2], 1, i)).collect(),
        ];
        for (index, other) in others.iter().enumerate() {
            let unit = |b: &u32| f64::from(*b) / 2f64.powi(32) - 0.5;
            let sum: f64 = bits.iter().zip(other).map(|(a, b)| unit(a) * unit(b)).sum();
            // Each product has a variance of 1/144.
            let limit = 5.0 * (bits.len() as f64 / 144.0).sqrt();
            assert!(sum.abs() < limit, "{index}: {sum}");
        }
    }
}
