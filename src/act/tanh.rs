//! The hyperbolic tangent.

use super::{Bend, FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "torch.nn.Tanh",
    y: |x, _| x.tanh(),
    // 1 - tanh(x)^2 without the cancellation.
    dx: |x, _| x.cosh().powi(-2),
    from_y: FromY::Yes(|y, _| (1.0 - y) * (1.0 + y)),
    // tanh(x) is 2 sigmoid(2 x) - 1.
    second: Second::Is(Bend::new(|x, _| -2.0 * x.tanh() * x.cosh().powi(-2))),
    walked: Some([2.0, 3.0]),
    ..Room::PLAIN
};
