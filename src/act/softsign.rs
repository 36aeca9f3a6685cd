//! Softsign.

use super::{Bend, FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Turian et al. 2009, Quadratic Features and Deep Architectures for Chunking; \
             torch.nn.Softsign",
    y: |x, _| x / (1.0 + x.abs()),
    dx: |x, _| (1.0 + x.abs()).powi(-2),
    knots: |_| vec![0.0],
    from_y: FromY::Yes(|y, _| (1.0 - y.abs()).powi(2)),
    // The derivative has a corner at zero; there it is the sign's, 0.
    second: Second::Is(Bend::new(|x, _| match x == 0.0 {
        true => 0.0,
        false => -2.0 * x.signum() * (1.0 + x.abs()).powi(-3),
    })),
    walked: Some([1.5, 1.5]),
    ..Room::PLAIN
};
