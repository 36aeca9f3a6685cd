//! The normal distribution function, as MEGA's attention has it.

use super::{Counts, Domain, FromY, Gradient, Room, gelu};

pub(super) const ROOM: Room = Room {
    source: "Ma et al. 2022, MEGA, arXiv:2209.10655",
    domain: &[
        Domain::factor::<0>("mu"),
        Domain {
            parameter: "sigma",
            holds: |p| p[1] > 0.0 && super::is_moderate(p[1]),
            needs: "a number from 1e-20 to 1e20",
        },
    ],
    y: |x, p| gelu::distribution((x - p[0]) / p[1]),
    dx: |x, p| gelu::density((x - p[0]) / p[1]) / p[1],
    // The quotient is rounded twice, as if sigma were another.
    product: Some(1),
    roundings: 2.0,
    from_y: FromY::No("nobody has looked for a formula yet"),
    gradients: &[
        Gradient {
            parameter: "mu",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| -gelu::density((x - p[0]) / p[1]) / p[1],
            terms: |_, _| 0.0,
        },
        Gradient {
            parameter: "sigma",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| {
                let v = (x - p[0]) / p[1];
                // Far out the density is zero, and v may be infinite.
                -v.clamp(-1e9, 1e9) * gelu::density(v) / p[1]
            },
            terms: |_, _| 0.0,
        },
    ],
    wgsl_terms: ["64.0 * value", "64.0 * abs(value)"],
    walked: Some([33.0, 30.0]),
    ..Room::PLAIN
};
