//! The error function.

use super::{FromY, Room};
use std::f64::consts::FRAC_2_SQRT_PI;

pub(super) const ROOM: Room = Room {
    source: "torch.erf",
    y: |x, _| libm::erf(x),
    dx: |x, _| FRAC_2_SQRT_PI * (-x * x).exp(),
    from_y: FromY::No("near 1 and -1 too little is left of x"),
    walked: Some([1.5, 2.0]),
    ..Room::PLAIN
};
