//! GELU's approximation by tanh.

use super::{Bend, FromY, Room, Second, sigmoid64};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

pub(super) const ROOM: Room = Room {
    source: "Hendrycks and Gimpel 2016, arXiv:1606.08415; torch.nn.GELU(approximate='tanh')",
    y: |x, _| x * sigmoid64(2.0 * inner(x)),
    dx: |x, _| {
        let (s, rest) = (sigmoid64(2.0 * inner(x)), sigmoid64(-2.0 * inner(x)));
        let slope = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (1.0 + 3.0 * CUBIC * x * x);
        s * (1.0 + x * rest * slope)
    },
    roots: &[-0.752_461_422_071_016_3],
    from_y: FromY::No("two inputs have the same value"),
    wgsl_terms: [
        "0.0",
        "select(0.0, 0.0625 * abs(dy), abs(x + 1.0) < 0.5)",
    ],
    // With w = 2 inner(x): s' (2 w' + x w'' - x w'^2 tanh(w / 2)).
    second: Second::Is(Bend {
        // Beside the window around a root terms of 6 cancel to 2, with the roundings of six operations in them.
        budget: 10.0,
        roots: &[-1.418_504_008_790_828, 1.418_504_008_790_828],
        ..Bend::new(|x, _| {
            let bell = sigmoid64(2.0 * inner(x)) * sigmoid64(-2.0 * inner(x));
            if bell == 0.0 {
                return 0.0;
            }
            let factor = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
            let slope = factor * (1.0 + 3.0 * CUBIC * x * x);
            let bend = factor * 6.0 * CUBIC * x;
            bell * (2.0 * slope + x * bend - x * slope * slope * inner(x).tanh())
        })
    }),
    walked: Some([3.0, 3.5]),
    ..Room::PLAIN
};

const CUBIC: f64 = 0.044_715;

/// The argument of tanh: (1 + tanh(u)) / 2 is sigmoid(2 u), without the cancellation.
fn inner(x: f64) -> f64 {
    FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (x + CUBIC * x * x * x)
}
