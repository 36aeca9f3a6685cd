//! SmeLU: ReLU with a parabola in the place of its kink.

use super::{Counts, Domain, FromY, Gradient, Room};

pub(super) const ROOM: Room = Room {
    source: "Shamir and Lin 2022, arXiv:2202.06499",
    domain: &[Domain {
        parameter: "beta",
        holds: |p| p[0] > 0.0 && super::is_moderate(p[0]),
        needs: "a number from 1e-20 to 1e20",
    }],
    y: |x, p| match x {
        _ if x <= -p[0] => 0.0,
        _ if x < p[0] => (x + p[0]) * (x + p[0]) / (4.0 * p[0]),
        _ => x,
    },
    dx: |x, p| (x.max(-p[0]).min(p[0]) + p[0]) / (2.0 * p[0]),
    knots: |p| vec![-p[0], p[0]],
    from_y: FromY::No("nobody has looked for a formula yet"),
    is_flat: true,
    gradients: &[Gradient {
        parameter: "beta",
        is_flat: true,
        counts: Counts::Everywhere,
        d: |x, p| {
            let inner = x.max(-p[0]).min(p[0]);
            (p[0] + inner) * (p[0] - inner) / (4.0 * p[0] * p[0])
        },
        terms: |_, _| 0.0,
    }],
    walked: Some([2.0, 0.5]),
    ..Room::PLAIN
};
