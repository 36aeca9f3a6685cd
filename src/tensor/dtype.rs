//! How elements are stored. Arithmetic is f32 whatever the storage; a result is rounded once, when it is
//! stored.

use crate::error::{Error, named};

/// The type in which an operand's elements are stored.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum DType {
    /// IEEE 754 binary32.
    #[default]
    F32,
    /// IEEE 754 binary16, two to a 32-bit word. No device feature is needed.
    F16,
    /// bfloat16: the upper half of an f32, two to a 32-bit word.
    BF16,
}

impl DType {
    /// Every dtype.
    pub const ALL: &'static [DType] = &[DType::F32, DType::F16, DType::BF16];

    /// The name, as PyTorch and WGSL abbreviate it.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
        }
    }

    /// Bytes per element.
    pub const fn size(self) -> u64 {
        match self {
            DType::F32 => 4,
            DType::F16 | DType::BF16 => 2,
        }
    }

    /// The largest finite value, the smallest normal one, and the number of digits behind the leading one.
    pub(crate) fn format(self) -> (f64, f64, i32) {
        match self {
            DType::F32 => (f64::from(f32::MAX), f64::from(f32::MIN_POSITIVE), 23),
            DType::F16 => (65504.0, 2f64.powi(-14), 10),
            DType::BF16 => (2f64.powi(128) - 2f64.powi(119), 2f64.powi(-126), 7),
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for DType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        named("dtype", Self::ALL, text)
    }
}

/// The dtypes of a pass's operands. One [`DType`] stands for the same everywhere.
///
/// ```
/// use nonlin::{DType, DTypes};
///
/// let mixed = DTypes { y: DType::F32, ..DType::F16.into() };
/// assert_eq!(mixed.x, DType::F16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct DTypes {
    /// That of x.
    pub x: DType,
    /// That of y.
    pub y: DType,
    /// That of dy, and of ddy.
    pub dy: DType,
    /// That of dx, and of ddx.
    pub dx: DType,
}

impl DTypes {
    /// That of a pass's operand, by name.
    pub(crate) fn of(self, operand: &str) -> DType {
        match operand {
            "x" => self.x,
            "y" => self.y,
            "dy" | "ddy" => self.dy,
            _ => self.dx,
        }
    }
}

impl From<DType> for DTypes {
    fn from(dtype: DType) -> Self {
        DTypes {
            x: dtype,
            y: dtype,
            dy: dtype,
            dx: dtype,
        }
    }
}

/// A type whose values are elements of a dtype.
pub trait Element: bytemuck::Pod + Send + Sync {
    /// The dtype.
    const DTYPE: DType;
    /// The nearest value.
    fn from_f64(value: f64) -> Self;
    /// The value, exactly.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;

    fn from_f64(value: f64) -> Self {
        value as f32
    }

    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for half::f16 {
    const DTYPE: DType = DType::F16;

    fn from_f64(value: f64) -> Self {
        half::f16::from_f32(to_odd(value))
    }

    fn to_f32(self) -> f32 {
        self.to_f32()
    }
}

impl Element for half::bf16 {
    const DTYPE: DType = DType::BF16;

    fn from_f64(value: f64) -> Self {
        half::bf16::from_f32(to_odd(value))
    }

    fn to_f32(self) -> f32 {
        self.to_f32()
    }
}

/// An f32 that rounds to the same 16-bit value as `value` does: where `value` lies between two f32, the one
/// of them whose last digit is 1, which is no tie of a shorter format. (`half`'s own conversions from
/// f64 drop the lower digits, and take what is just above a tie for one.)
fn to_odd(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) == value || !near.is_finite() {
        return near;
    }
    let beyond = f64::from(near).abs() > value.abs();
    f32::from_bits((near.to_bits() - u32::from(beyond)) | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_f64_rounds_once() {
        let tie = 1.0 + 2f64.powi(-11);
        let cases = [
            (tie, 1.0),
            (tie + 1e-15, 1.0 + 2f32.powi(-10)),
            (tie - 1e-15, 1.0),
        ];
        for (value, wanted) in cases {
            assert_eq!(
                <half::f16 as Element>::from_f64(value).to_f32(),
                wanted,
                "{value:e}"
            );
            assert_eq!(
                <half::f16 as Element>::from_f64(-value).to_f32(),
                -wanted,
                "{value:e}"
            );
        }
        let tie = 1.0 + 2f64.powi(-8);
        assert_eq!(<half::bf16 as Element>::from_f64(tie).to_f32(), 1.0);
        assert_eq!(
            <half::bf16 as Element>::from_f64(tie + 1e-15).to_f32(),
            1.0 + 2f32.powi(-7)
        );
        assert_eq!(
            <half::f16 as Element>::from_f64(65519.999).to_f32(),
            65504.0
        );
        assert_eq!(
            <half::f16 as Element>::from_f64(65520.0).to_f32(),
            f32::INFINITY
        );
        assert!(<half::f16 as Element>::from_f64(f64::NAN).to_f32().is_nan());
        assert_eq!(
            <half::f16 as Element>::from_f64(1e300).to_f32(),
            f32::INFINITY
        );
    }
}
