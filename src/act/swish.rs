//! Swish.

use super::{Bend, Counts, Domain, FromY, Gradient, Room, Second, sigmoid64, swish_bend64};

pub(super) const ROOM: Room = Room {
    source: "Ramachandran et al. 2017, arXiv:1710.05941",
    domain: &[Domain::factor::<0>("beta")],
    y: |x, p| x * sigmoid64(p[0] * x),
    dx: |x, p| sigmoid64(p[0] * x) * (1.0 + p[0] * x * sigmoid64(-p[0] * x)),
    roots: &[-1.278_464_542_761_074],
    product: Some(0),
    from_y: FromY::No("two inputs have the same value"),
    gradients: &[Gradient {
        parameter: "beta",
        is_flat: false,
        counts: Counts::Everywhere,
        d: |x, p| x * x * sigmoid64(p[0] * x) * sigmoid64(-p[0] * x),
        terms: |_, _| 0.0,
    }],
    wgsl_terms: [
        "0.0",
        "select(0.0, 0.0625 * abs(dy), abs(x * args.scalars.s1_beta + 1.0) < 0.5)",
    ],
    second: Second::Is(Bend {
        roots: &[-2.399_357_280_515_468, 2.399_357_280_515_468],
        ..Bend::new(|x, p| p[0] * swish_bend64(p[0] * x))
    }),
    walked: Some([3.0, 3.5]),
    ..Room::PLAIN
};
