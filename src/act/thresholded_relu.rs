//! Thresholded ReLU.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Konda et al. 2014, arXiv:1402.3337; ONNX operator ThresholdedRelu, version 10",
    y: |x, p| if x > p[0] { x } else { 0.0 },
    dx: |x, p| if x > p[0] { 1.0 } else { 0.0 },
    knots: |p| vec![p[0]],
    from_y: FromY::If {
        holds: |p| p[0] >= 0.0,
        needs: "alpha >= 0",
        dx: |y, _| if y > 0.0 { 1.0 } else { 0.0 },
    },
    is_flat: true,
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
