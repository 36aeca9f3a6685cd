//! Numbers that look random and are the same each time.

use nonlin::layers::Parameter;

/// A number between -1 and 1, by a seed, the tensor that it is for, and its place there.
pub(crate) fn noise(seed: u64, tensor: u64, index: u64) -> f32 {
    let mut z = mixed(mixed(mixed(seed) ^ tensor) ^ index);
    z >>= 40;
    z as f32 / (1u32 << 23) as f32 - 1.0
}

/// Steele, Lea and Flood's SplitMix64.
fn mixed(bits: u64) -> u64 {
    let mut z = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A layer's parameter, from numbers between -1 and 1 by their index: about 1 where one multiplies by it, variances
/// positive, and weights so that sums are about as large as what is summed.
pub(crate) fn parameter(parameter: &Parameter, noise: impl Fn(u64) -> f32) -> Vec<f32> {
    let inputs = parameter.shape[1..].iter().product::<u64>() as f32;
    let (middle, reach) = match parameter.name.as_str() {
        name if name.starts_with("running_var") => (1.0, 0.5),
        name if name.starts_with("bn") && name.ends_with("weight") => (1.0, 0.5),
        "p1" => (1.0, 0.5),
        _ => (0.0, 1.5 / inputs.sqrt()),
    };
    let count = parameter.elements().unwrap_or(0);
    (0..count).map(|i| middle + reach * noise(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fill_their_range() {
        let numbers = |seed, tensor| (0..1000).map(move |index| noise(seed, tensor, index));
        for (seed, tensor) in [(0, 0), (0, 1), (1, 0), (u64::MAX, 3)] {
            let mean = numbers(seed, tensor).sum::<f32>() / 1000.0;
            assert!(mean.abs() < 0.1, "{mean}");
            assert!(numbers(seed, tensor).all(|n| (-1.0..1.0).contains(&n)));
            assert!(
                numbers(seed, tensor).any(|n| n > 0.9) && numbers(seed, tensor).any(|n| n < -0.9)
            );
        }
        assert!(numbers(0, 1).zip(numbers(1, 0)).all(|(a, b)| a != b));
    }
}
