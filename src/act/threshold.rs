//! Threshold. PyTorch has no defaults; these make it ReLU.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "torch.nn.Threshold",
    y: |x, p| if x > p[0] { x } else { p[1] },
    dx: |x, p| if x > p[0] { 1.0 } else { 0.0 },
    knots: |p| vec![p[0]],
    from_y: FromY::If {
        holds: |p| p[1] <= p[0],
        needs: "value <= threshold",
        dx: |y, p| if y > p[0] { 1.0 } else { 0.0 },
    },
    is_flat: true,
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
