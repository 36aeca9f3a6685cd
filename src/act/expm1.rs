//! The exponential less one.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "torch.expm1",
    y: |x, _| x.exp_m1(),
    dx: |x, _| x.exp(),
    from_y: FromY::Yes(|y, _| y + 1.0),
    walked: Some([2.0, 1.0]),
    ..Room::PLAIN
};
