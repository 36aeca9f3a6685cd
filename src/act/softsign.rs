//! Softsign.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "Turian et al. 2009, Quadratic Features and Deep Architectures for Chunking; \
             torch.nn.Softsign",
    y: |x, _| x / (1.0 + x.abs()),
    dx: |x, _| (1.0 + x.abs()).powi(-2),
    knots: |_| vec![0.0],
    from_y: FromY::Yes(|y, _| (1.0 - y.abs()).powi(2)),
    walked: Some([1.5, 1.5]),
    ..Room::PLAIN
};
