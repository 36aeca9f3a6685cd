//! The square root of softplus.

use super::{FromY, Room, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "DeepSeek-V4's router, in transformers as sqrtsoftplus",
    y: |x, _| value(x),
    dx: |x, _| match x {
        _ if x > -30.0 => sigmoid64(x) / (2.0 * value(x)),
        _ => 0.5 * value(x),
    },
    from_y: FromY::No("nobody has looked for a formula yet"),
    walked: Some([2.5, 4.0]),
    ..Room::PLAIN
};

/// Below zero as e^(x / 2) times the rest, whose logarithm does not leave the range of f64.
fn value(x: f64) -> f64 {
    if x > 0.0 {
        (x + (-x).exp().ln_1p()).sqrt()
    } else if x > -30.0 {
        x.exp().ln_1p().sqrt()
    } else {
        (0.5 * x).exp()
    }
}
