//! The unit step. No gradient passes anywhere.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "torch.heaviside, with 0 at 0",
    y: |x, _| if x > 0.0 { 1.0 } else { 0.0 },
    dx: |_, _| 0.0,
    knots: |_| vec![0.0],
    from_y: FromY::Yes(|_, _| 0.0),
    is_flat: true,
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
