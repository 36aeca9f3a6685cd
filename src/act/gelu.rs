//! GELU with the error function.

use super::{Bend, FromY, Room, Second};
use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

pub(super) const ROOM: Room = Room {
    source: "Hendrycks and Gimpel 2016, arXiv:1606.08415; torch.nn.GELU",
    y: |x, _| x * distribution(x),
    dx: |x, _| distribution(x) + x * density(x),
    roots: &[-0.751_791_524_693_564_5],
    from_y: FromY::No("two inputs have the same value"),
    wgsl_terms: [
        "0.0",
        "select(0.0, 0.0625 * abs(dy), abs(x + 1.0) < 0.5)",
    ],
    second: Second::Is(Bend::new(|x, _| {
        density(x) * (SQRT_2 - x) * (SQRT_2 + x)
    })),
    walked: Some([4.0, 4.0]),
    ..Room::PLAIN
};

/// The normal distribution function.
pub(super) fn distribution(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// The normal density.
pub(super) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}
