//! Sparse sigmoid.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "Martins and Astudillo 2016, arXiv:1602.02068; jax.nn.sparse_sigmoid",
    y: |x, _| (x + 1.0).clamp(0.0, 2.0) / 2.0,
    dx: |x, _| if x > -1.0 && x < 1.0 { 0.5 } else { 0.0 },
    knots: |_| vec![-1.0, 1.0],
    from_y: FromY::Yes(|y, _| if y > 0.0 && y < 1.0 { 0.5 } else { 0.0 }),
    ..Room::PLAIN
};
