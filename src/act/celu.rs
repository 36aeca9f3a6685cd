//! CELU.

use super::{Bend, Counts, Domain, FromY, Gradient, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Barron 2017, arXiv:1704.07483; torch.nn.CELU",
    domain: &[Domain::divisor::<0>("alpha")],
    y: |x, p| {
        if x > 0.0 {
            x
        } else {
            p[0] * (x / p[0]).exp_m1()
        }
    },
    dx: |x, p| if x > 0.0 { 1.0 } else { (x / p[0]).exp() },
    knots: |_| vec![0.0],
    from_y: FromY::If {
        holds: |p| p[0] > 0.0,
        needs: "alpha > 0",
        dx: |y, p| if y > 0.0 { 1.0 } else { (y + p[0]) / p[0] },
    },
    gradients: &[Gradient {
        parameter: "alpha",
        is_flat: true,
        counts: Counts::UpToZero,
        d: |x, p| if x > 0.0 { 0.0 } else { bend(x / p[0]) },
        terms: |_, _| 0.0,
    }],
    second: Second::Is(Bend {
        is_flat: true,
        ..Bend::new(|x, p| {
            if x > 0.0 {
                0.0
            } else {
                (x / p[0]).exp() / p[0]
            }
        })
    }),
    walked: Some([1.0, 1.0]),
    ..Room::PLAIN
};

/// e^z - 1 - z e^z; where it cancels, by its Taylor series, the sum of -z^n (n - 1) / n!.
fn bend(z: f64) -> f64 {
    if z.abs() > 0.5 {
        return (1.0 - z) * z.exp() - 1.0;
    }
    let mut power = z;
    let terms = (2..20).map(f64::from).map(|n| {
        power *= z / n;
        (n - 1.0) * power
    });
    -terms.sum::<f64>()
}
