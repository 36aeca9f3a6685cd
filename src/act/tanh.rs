//! The hyperbolic tangent.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "torch.nn.Tanh",
    y: |x, _| x.tanh(),
    // 1 - tanh(x)^2 without the cancellation.
    dx: |x, _| x.cosh().powi(-2),
    from_y: FromY::Yes(|y, _| (1.0 - y) * (1.0 + y)),
    ..Room::PLAIN
};
