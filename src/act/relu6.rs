//! ReLU6.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10; torch.nn.ReLU6",
    y: |x, _| x.clamp(0.0, 6.0),
    dx: |x, _| if x > 0.0 && x < 6.0 { 1.0 } else { 0.0 },
    knots: |_| vec![0.0, 6.0],
    from_y: FromY::Yes(|y, _| if y > 0.0 && y < 6.0 { 1.0 } else { 0.0 }),
    is_flat: true,
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
