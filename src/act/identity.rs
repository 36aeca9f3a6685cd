//! The identity.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "torch.nn.Identity",
    y: |x, _| x,
    dx: |_, _| 1.0,
    from_y: FromY::Yes(|_, _| 1.0),
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
