//! Squareplus.

use super::Room;

pub(super) const ROOM: Room = Room {
    source: "Barron 2021, arXiv:2112.11687; jax.nn.squareplus",
    y: |x, p| {
        let h = x.hypot(p[0].sqrt());
        if x > 0.0 {
            (x + h) / 2.0
        } else {
            p[0] / (2.0 * (h - x))
        }
    },
    // (1 + x / h) / 2 is the value over h, without the cancellation.
    dx: |x, p| {
        let h = x.hypot(p[0].sqrt());
        if x > 0.0 {
            (1.0 + x / h) / 2.0
        } else {
            p[0] / (2.0 * h * (h - x))
        }
    },
    ..Room::PLAIN
};
