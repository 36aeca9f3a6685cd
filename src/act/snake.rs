//! Snake.

use super::{Counts, Domain, FromY, Gradient, Room, Turns, snake_beta};

/// Snake-beta with beta = alpha; the limits where alpha is zero.
pub(super) const ROOM: Room = Room {
    source: "Ziyin et al. 2020, arXiv:2006.08195",
    domain: &[Domain::factor::<0>("alpha")],
    y: |x, p| match p[0] {
        0.0 => x,
        alpha => (snake_beta::ROOM.y)(x, &[alpha, alpha]),
    },
    dx: |x, p| match p[0] {
        0.0 => super::angle(x, |_| 1.0),
        alpha => (snake_beta::ROOM.dx)(x, &[alpha, alpha]),
    },
    y_terms: |x, p| match p[0] {
        0.0 => 0.0,
        alpha => (snake_beta::ROOM.y_terms)(x, &[alpha, alpha]),
    },
    dx_terms: |x, p| (snake_beta::ROOM.dx_terms)(x, &[p[0], p[0]]),
    product: Some(0),
    turns: Some(Turns {
        y: |p| 1.0 / p[0].abs(),
        dx: |_| 1.0,
    }),
    from_y: FromY::No("nobody has a formula for its inverse"),
    gradients: &[Gradient {
        parameter: "alpha",
        is_flat: false,
        counts: Counts::Everywhere,
        d: |x, p| match p[0] {
            0.0 => super::angle(x, |x| x * x),
            alpha => {
                let of = |index: usize| (snake_beta::ROOM.gradients[index].d)(x, &[alpha, alpha]);
                of(0) + of(1)
            }
        },
        // The terms, and what the rounding of alpha x may turn them by.
        terms: |x, p| match p[0] {
            0.0 => x * x,
            alpha => {
                let ratio = (alpha * x).sin() / alpha;
                (x * (2.0 * alpha * x).sin() / alpha).abs() + ratio * ratio + x * x
            }
        },
    }],
    wgsl_terms: ["2.0 * abs(x)", "abs(dy)"],
    walked: Some([1.5, 1.5]),
    ..Room::PLAIN
};
