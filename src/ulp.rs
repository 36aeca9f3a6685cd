//! Units in the last place, measured at an f64 value.

use crate::tensor::dtype::DType;

/// The distance between neighbouring f32 values at `y`: 2^-23 of the power of two below |y|, and 2^-149
/// among the subnormals. Infinite for an infinite `y`, NaN for NaN.
///
/// ```
/// assert_eq!(nonlin::ulp::ulp(1.5), f64::from(f32::EPSILON));
/// assert_eq!(nonlin::ulp::ulp(0.0), f64::from(f32::from_bits(1)));
/// ```
#[inline]
pub fn ulp(y: f64) -> f64 {
    ulp_in(DType::F32, y)
}

/// The distance between neighbouring values of a dtype at `y`, as [`ulp`] is for f32.
///
/// ```
/// use nonlin::{DType, ulp::ulp_in};
///
/// assert_eq!(ulp_in(DType::F16, 1.0), 2f64.powi(-10));
/// assert_eq!(ulp_in(DType::F16, 1e-7), 2f64.powi(-24));
/// assert_eq!(ulp_in(DType::BF16, 1.0), 2f64.powi(-7));
/// ```
#[inline]
pub fn ulp_in(dtype: DType, y: f64) -> f64 {
    if !y.is_finite() {
        return y.abs();
    }
    let (_, min_normal, digits) = dtype.format();
    let exponent = |v: f64| ((v.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    // Never subnormal in f64.
    let power = exponent(y).max(exponent(min_normal)) - digits;
    f64::from_bits(((power + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::ulp;

    #[test]
    fn is_the_gap_to_the_next_f32() {
        for bits in (0..0x7f80_0000u32).step_by(65_537) {
            let (here, next) = (f32::from_bits(bits), f32::from_bits(bits + 1));
            if next.is_finite() {
                assert_eq!(
                    ulp(f64::from(here)),
                    f64::from(next) - f64::from(here),
                    "{here:e}"
                );
            }
        }
    }
}
