//! Snake with a magnitude of its own.

use super::{Counts, Domain, FromY, Gradient, Room, Turns, angle, turned};

pub(super) const ROOM: Room = Room {
    source: "Lee et al. 2023, BigVGAN, arXiv:2206.04658, whose code adds 1e-9 to beta",
    domain: &[Domain::factor::<0>("alpha"), Domain::divisor::<1>("beta")],
    y: |x, p| {
        let sine = if x.abs() < 1e99 {
            (p[0] * x).sin()
        } else {
            0.0
        };
        x + sine * sine / p[1]
    },
    dx: |x, p| angle(x, |x| 1.0 + (2.0 * p[0] * x).sin() * (p[0] / p[1])),
    // With what the rounding of alpha x may turn the sine by, 2^-24 |alpha x|.
    y_terms: |x, p| {
        let sine = (p[0] * x).sin();
        x.abs() * (1.0 + (p[0] / p[1]).abs()) + sine * sine / p[1].abs()
    },
    dx_terms: |x, p| {
        let z = p[0] * x;
        let factor = if p[1] == 0.0 {
            1.0
        } else {
            (p[0] / p[1]).abs()
        };
        1.0 + factor * ((2.0 * z).sin().abs() + turned(z, p[0]))
    },
    product: Some(0),
    turns: Some(Turns {
        y: |p| 1.0 / p[1].abs(),
        dx: |p| (p[0] / p[1]).abs(),
    }),
    from_y: FromY::No("many inputs may have the same value"),
    gradients: &[
        Gradient {
            parameter: "alpha",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| angle(x, |x| x * (2.0 * p[0] * x).sin() / p[1]),
            terms: |x, p| {
                let z = p[0] * x;
                let near = if z.abs() <= 0.75 { 0.0 } else { 0.125 };
                (x / p[1]).abs() * (near + turned(z, p[0]))
            },
        },
        Gradient {
            parameter: "beta",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| {
                angle(x, |x| {
                    let ratio = (p[0] * x).sin() / p[1];
                    -ratio * ratio
                })
            },
            terms: |x, p| {
                let z = p[0] * x;
                let near = if z.abs() <= 1.5 { 0.0 } else { 0.125 };
                (near + turned(z, p[0])) / (p[1] * p[1])
            },
        },
    ],
    wgsl_terms: ["2.0 * abs(x)", "abs(dy)"],
    walked: Some([1.5, 1.5]),
    ..Room::PLAIN
};
