//! The exponential.

use super::Room;

pub(super) const ROOM: Room = Room {
    source: "torch.exp",
    y: |x, _| x.exp(),
    dx: |x, _| x.exp(),
    ..Room::PLAIN
};
