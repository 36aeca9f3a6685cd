//! The hyperbolic tangent.

use super::Room;

pub(super) const ROOM: Room = Room {
    source: "torch.nn.Tanh",
    y: |x, _| x.tanh(),
    // 1 - tanh(x)^2 without the cancellation.
    dx: |x, _| x.cosh().powi(-2),
    ..Room::PLAIN
};
