//! The absolute value. Its derivative is 0 at 0.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "torch.abs",
    y: |x, _| x.abs(),
    dx: |x, _| match x {
        _ if x > 0.0 => 1.0,
        _ if x < 0.0 => -1.0,
        _ => 0.0,
    },
    knots: |_| vec![0.0],
    from_y: FromY::No("the sign of x is lost"),
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
