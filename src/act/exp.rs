//! The exponential.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "torch.exp",
    y: |x, _| x.exp(),
    dx: |x, _| x.exp(),
    from_y: FromY::Yes(|y, _| y),
    walked: Some([1.0, 1.0]),
    ..Room::PLAIN
};
