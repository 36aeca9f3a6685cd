//! ACON-B: acon_c with p1 = 1.

use super::{Counts, Domain, FromY, Gradient, Room, acon_c};

pub(super) const ROOM: Room = Room {
    source: "Ma et al. 2020, Activate or Not, arXiv:2009.04759",
    domain: &[Domain::factor::<0>("p"), Domain::factor::<1>("beta")],
    y: |x, p| (acon_c::ROOM.y)(x, &[1.0, p[0], p[1]]),
    dx: |x, p| (acon_c::ROOM.dx)(x, &[1.0, p[0], p[1]]),
    y_terms: |x, p| (acon_c::ROOM.y_terms)(x, &[1.0, p[0], p[1]]),
    dx_terms: |x, p| (acon_c::ROOM.dx_terms)(x, &[1.0, p[0], p[1]]),
    product: Some(1),
    roundings: 3.0,
    from_y: FromY::No("two inputs have the same value"),
    gradients: &[
        Gradient {
            parameter: "p",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| (acon_c::ROOM.gradients[1].d)(x, &[1.0, p[0], p[1]]),
            terms: |x, p| (acon_c::ROOM.gradients[1].terms)(x, &[1.0, p[0], p[1]]),
        },
        Gradient {
            parameter: "beta",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| (acon_c::ROOM.gradients[2].d)(x, &[1.0, p[0], p[1]]),
            terms: |x, p| (acon_c::ROOM.gradients[2].terms)(x, &[1.0, p[0], p[1]]),
        },
    ],
    walked: Some([3.5, 3.5]),
    ..Room::PLAIN
};
