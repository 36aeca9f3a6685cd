//! Softplus, linear above a threshold.

use super::{Bend, Domain, FromY, Room, Second, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "Dugas et al. 2000, Incorporating Second-Order Functional Knowledge for Better Option \
             Pricing; torch.nn.Softplus",
    domain: &[Domain::divisor::<0>("beta")],
    y: |x, p| {
        if p[0] * x > p[1] {
            x
        } else {
            let z = p[0] * x;
            (z.max(0.0) + (-z.abs()).exp().ln_1p()) / p[0]
        }
    },
    dx: |x, p| {
        if p[0] * x > p[1] {
            1.0
        } else {
            sigmoid64(p[0] * x)
        }
    },
    knots: |p| vec![p[1] / p[0]],
    product: Some(0),
    // The branches have values in common, but above 17 their derivatives are the same in f32.
    from_y: FromY::If {
        holds: |p| p[0] != 0.0 && p[1] >= 17.0,
        needs: "threshold >= 17 and beta other than 0",
        dx: |y, p| {
            if p[0] * y > p[1] {
                1.0
            } else {
                -(-p[0] * y).exp_m1()
            }
        },
    },
    second: Second::Is(Bend {
        is_flat: true,
        ..Bend::new(|x, p| match p[0] * x {
            z if z > p[1] => 0.0,
            z => p[0] * sigmoid64(z) * sigmoid64(-z),
        })
    }),
    walked: Some([3.0, 2.5]),
    ..Room::PLAIN
};
