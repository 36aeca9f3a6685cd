//! GELU's approximation by the logistic function.

use super::{FromY, Room, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "Hendrycks and Gimpel 2016, arXiv:1606.08415; CLIP's QuickGELU",
    y: |x, _| x * sigmoid64(1.702 * x),
    dx: |x, _| sigmoid64(1.702 * x) * (1.0 + 1.702 * x * sigmoid64(-1.702 * x)),
    roots: &[-1.278_464_542_761_074 / 1.702],
    from_y: FromY::No("two inputs have the same value"),
    wgsl_terms: [
        "0.0",
        "select(0.0, 0.0625 * abs(dy), abs(x + 1.0) < 0.5)",
    ],
    walked: Some([3.0, 4.0]),
    ..Room::PLAIN
};
