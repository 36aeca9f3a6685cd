//! The sine of a multiple.

use super::{Bend, Counts, Domain, FromY, Gradient, Room, Second, Turns, angle, turned};

pub(super) const ROOM: Room = Room {
    source: "Sitzmann et al. 2020, arXiv:2006.09661, with omega 30; torch.sin",
    domain: &[Domain::factor::<0>("omega")],
    y: |x, p| angle(x, |x| (p[0] * x).sin()),
    dx: |x, p| angle(x, |x| p[0] * (p[0] * x).cos()),
    // 2 of the sine itself, and the rounding of its product with omega or x.
    budget: 2.5,
    // Beyond the first bend ULP are measured at 1/8, below which roots are.
    y_terms: |x, p| match p[0] * x {
        z if z.abs() <= 1.5 => 0.0,
        z => turned(z, p[0]) / 2.0 + 0.125,
    },
    dx_terms: |x, p| p[0].abs() * (turned(p[0] * x, p[0]) / 2.0 + 0.125),
    product: Some(0),
    turns: Some(Turns {
        y: |_| 1.0,
        dx: |p| p[0].abs(),
    }),
    from_y: FromY::No("many inputs have the same value"),
    gradients: &[Gradient {
        parameter: "omega",
        is_flat: false,
        counts: Counts::Everywhere,
        d: |x, p| angle(x, |x| x * (p[0] * x).cos()),
        terms: |x, p| x.abs() * (turned(p[0] * x, p[0]) / 2.0 + 0.125),
    }],
    wgsl_terms: ["0.125", "0.125 * abs(dy * args.scalars.s1_omega)"],
    second: Second::Is(Bend {
        terms: |x, p| match p[0] * x {
            z if z.abs() <= 1.5 => 0.0,
            z => p[0] * p[0] * (turned(z, p[0]) / 2.0 + 0.125),
        },
        ..Bend::new(|x, p| angle(x, |x| -p[0] * p[0] * (p[0] * x).sin()))
    }),
    walked: Some([2.5, 2.5]),
    ..Room::PLAIN
};
