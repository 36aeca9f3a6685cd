//! Hard shrinkage.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Donoho and Johnstone 1994, Ideal Spatial Adaptation by Wavelet Shrinkage; \
             torch.nn.Hardshrink",
    y: |x, p| if x >= -p[0] && x <= p[0] { 0.0 } else { x },
    dx: |x, p| if x >= -p[0] && x <= p[0] { 0.0 } else { 1.0 },
    knots: |p| vec![-p[0], p[0]],
    // A negative lambd shrinks nothing.
    from_y: FromY::Yes(|y, p| if y == 0.0 && p[0] >= 0.0 { 0.0 } else { 1.0 }),
    is_flat: true,
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
