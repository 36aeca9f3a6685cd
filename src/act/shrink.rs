//! ONNX's shrinkage: soft for bias = lambd, hard for bias = 0.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "ONNX operator Shrink, version 9",
    y: |x, p| match x {
        _ if x < -p[0] => x + p[1],
        _ if x > p[0] => x - p[1],
        _ => 0.0,
    },
    dx: |x, p| if x < -p[0] || x > p[0] { 1.0 } else { 0.0 },
    knots: |p| vec![-p[0], p[0]],
    // A larger bias moves an input that is kept onto zero.
    from_y: FromY::If {
        holds: |p| p[1] <= p[0],
        needs: "bias <= lambd",
        dx: |y, _| if y == 0.0 { 0.0 } else { 1.0 },
    },
    is_flat: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
