//! The logistic function's logarithm.

use super::{FromY, Room, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "torch.nn.LogSigmoid",
    y: |x, _| x.min(0.0) - (-x.abs()).exp().ln_1p(),
    dx: |x, _| sigmoid64(-x),
    // 1 - e^y without the cancellation.
    from_y: FromY::Yes(|y, _| -y.exp_m1()),
    walked: Some([3.0, 2.5]),
    ..Room::PLAIN
};
