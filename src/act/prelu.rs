//! PReLU: a leaky ReLU whose slope is learned.

use super::{Counts, FromY, Gradient, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852; torch.nn.PReLU",
    y: |x, p| if x > 0.0 { x } else { p[0] * x },
    dx: |x, p| if x > 0.0 { 1.0 } else { p[0] },
    knots: |_| vec![0.0],
    from_y: FromY::If {
        holds: |p| p[0] >= 0.0,
        needs: "weight >= 0",
        dx: |y, p| if y > 0.0 { 1.0 } else { p[0] },
    },
    gradients: &[Gradient {
        parameter: "weight",
        is_flat: true,
        counts: Counts::UpToZero,
        d: |x, _| x.min(0.0),
        terms: |_, _| 0.0,
    }],
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
