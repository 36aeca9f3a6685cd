//! Sparse sigmoid.

use super::{FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Martins and Astudillo 2016, arXiv:1602.02068; jax.nn.sparse_sigmoid",
    y: |x, _| (x + 1.0).clamp(0.0, 2.0) / 2.0,
    // At a tie of a minimum or maximum, jax.grad passes on half.
    dx: |x, _| match x.abs() {
        a if a < 1.0 => 0.5,
        1.0 => 0.25,
        _ => 0.0,
    },
    knots: |_| vec![-1.0, 1.0],
    from_y: FromY::No("at -1 and 1 the derivative is another than where the value is the same"),
    is_flat: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
