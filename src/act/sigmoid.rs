//! The logistic function.

use super::{Bend, FromY, Room, Second, sigmoid64, sigmoid_bend64};

pub(super) const ROOM: Room = Room {
    source: "torch.nn.Sigmoid",
    y: |x, _| sigmoid64(x),
    // sigmoid(-x) is 1 - sigmoid(x) without the cancellation.
    dx: |x, _| sigmoid64(x) * sigmoid64(-x),
    from_y: FromY::Yes(|y, _| y * (1.0 - y)),
    second: Second::Is(Bend::new(|x, _| sigmoid_bend64(x))),
    walked: Some([2.5, 3.0]),
    ..Room::PLAIN
};
