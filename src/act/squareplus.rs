//! Squareplus.

use super::{Bend, Domain, FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Barron 2021, arXiv:2112.11687; jax.nn.squareplus",
    domain: &[Domain {
        parameter: "b",
        holds: |p| p[0] == 0.0 || (1e-30..=f64::from(1e30f32)).contains(&p[0]),
        needs: "0, or a number from 1e-30 to 1e30",
    }],
    y: |x, p| {
        let h = x.hypot(p[0].sqrt());
        if x > 0.0 {
            (x + h) / 2.0
        } else if p[0] == 0.0 {
            0.0
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
    // The value over h again: y^2 - x y = b / 4 makes h, which is 2 y - x, y + b / (4 y).
    from_y: FromY::If {
        holds: |p| p[0] > 0.0,
        needs: "b > 0",
        dx: |y, p| 1.0 / (1.0 + p[0] / (4.0 * y * y)),
    },
    second: Second::Is(Bend {
        is_flat: true,
        ..Bend::new(|x, p| match p[0] == 0.0 {
            true => 0.0,
            false => p[0] / 2.0 / x.hypot(p[0].sqrt()).powi(3),
        })
    }),
    walked: Some([3.0, 3.5]),
    ..Room::PLAIN
};
