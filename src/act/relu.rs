//! ReLU.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Nair and Hinton 2010, Rectified Linear Units Improve Restricted Boltzmann Machines",
    y: |x, _| x.max(0.0),
    dx: |x, _| if x > 0.0 { 1.0 } else { 0.0 },
    knots: |_| vec![0.0],
    from_y: FromY::Yes(|y, _| if y > 0.0 { 1.0 } else { 0.0 }),
    is_flat: true,
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
