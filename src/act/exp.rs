//! The exponential.

use super::{Bend, FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "torch.exp",
    y: |x, _| x.exp(),
    dx: |x, _| x.exp(),
    from_y: FromY::Yes(|y, _| y),
    second: Second::Is(Bend::new(|x, _| x.exp())),
    walked: Some([1.0, 1.0]),
    ..Room::PLAIN
};
