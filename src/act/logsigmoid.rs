//! The logistic function's logarithm.

use super::{Room, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "torch.nn.LogSigmoid",
    y: |x, _| x.min(0.0) - (-x.abs()).exp().ln_1p(),
    dx: |x, _| sigmoid64(-x),
    ..Room::PLAIN
};
