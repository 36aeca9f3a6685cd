//! Hard sigmoid, with slope 1/6.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Howard et al. 2019, arXiv:1905.02244; torch.nn.Hardsigmoid",
    y: |x, _| (x + 3.0).clamp(0.0, 6.0) / 6.0,
    dx: |x, _| if x > -3.0 && x < 3.0 { 1.0 / 6.0 } else { 0.0 },
    knots: |_| vec![-3.0, 3.0],
    from_y: FromY::Yes(|y, _| if y > 0.0 && y < 1.0 { 1.0 / 6.0 } else { 0.0 }),
    is_flat: true,
    second: Second::Zero,
    walked: Some([1.5, 0.5]),
    ..Room::PLAIN
};
