//! Threshold. PyTorch has no defaults; these make it ReLU.

use super::Room;

pub(super) const ROOM: Room = Room {
    source: "torch.nn.Threshold",
    y: |x, p| if x > p[0] { x } else { p[1] },
    dx: |x, p| if x > p[0] { 1.0 } else { 0.0 },
    knots: |p| vec![p[0]],
    ..Room::PLAIN
};
