//! Hard Mish.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "timm, layers/activations.py: HardMish",
    y: |x, _| 0.5 * x * (x + 2.0).clamp(0.0, 2.0),
    dx: |x, _| match x {
        _ if x < -2.0 => 0.0,
        _ if x < 0.0 => x + 1.0,
        _ => 1.0,
    },
    knots: |_| vec![-2.0, 0.0],
    from_y: FromY::No("two inputs have the same value"),
    is_flat: true,
    walked: Some([1.5, 0.5]),
    ..Room::PLAIN
};
