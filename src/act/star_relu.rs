//! StarReLU.

use super::{Counts, Domain, FromY, Gradient, Room};

pub(super) const ROOM: Room = Room {
    source: "Yu et al. 2022, MetaFormer Baselines for Vision, arXiv:2210.13452",
    domain: &[Domain::factor::<0>("scale"), Domain::factor::<1>("bias")],
    y: |x, p| p[0] * x.max(0.0).powi(2) + p[1],
    dx: |x, p| 2.0 * p[0] * x.max(0.0),
    knots: |_| vec![0.0],
    y_terms: |x, p| (p[0] * x.max(0.0).powi(2)).abs() + p[1].abs(),
    from_y: FromY::No("subtracting the bias again cancels the digits"),
    gradients: &[
        Gradient {
            parameter: "scale",
            is_flat: true,
            counts: Counts::Everywhere,
            d: |x, _| x.max(0.0).powi(2),
            terms: |_, _| 0.0,
        },
        Gradient {
            parameter: "bias",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |_, _| 1.0,
            terms: |_, _| 0.0,
        },
    ],
    is_flat: true,
    wgsl_terms: ["abs(value) + 2.0 * abs(args.scalars.s1_bias)", "0.0"],
    walked: Some([2.0, 0.5]),
    ..Room::PLAIN
};
