//! ELU.

use super::{Bend, Counts, Domain, FromY, Gradient, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Clevert et al. 2015, arXiv:1511.07289; torch.nn.ELU",
    domain: &[Domain::factor::<0>("alpha")],
    y: |x, p| if x > 0.0 { x } else { p[0] * x.exp_m1() },
    dx: |x, p| if x > 0.0 { 1.0 } else { p[0] * x.exp() },
    knots: |_| vec![0.0],
    from_y: FromY::If {
        holds: |p| p[0] >= 0.0,
        needs: "alpha >= 0",
        dx: |y, p| if y > 0.0 { 1.0 } else { y + p[0] },
    },
    gradients: &[Gradient {
        parameter: "alpha",
        is_flat: true,
        counts: Counts::UpToZero,
        d: |x, _| x.min(0.0).exp_m1(),
        terms: |_, _| 0.0,
    }],
    second: Second::Is(Bend {
        is_flat: true,
        ..Bend::new(|x, p| if x > 0.0 { 0.0 } else { p[0] * x.exp() })
    }),
    walked: Some([1.0, 1.0]),
    ..Room::PLAIN
};
