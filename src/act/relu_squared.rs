//! Squared ReLU.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "So et al. 2021, Primer, arXiv:2109.08668",
    y: |x, _| x.max(0.0).powi(2),
    dx: |x, _| 2.0 * x.max(0.0),
    knots: |_| vec![0.0],
    from_y: FromY::Yes(|y, _| 2.0 * y.sqrt()),
    is_flat: true,
    is_exact_in_f32: true,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
