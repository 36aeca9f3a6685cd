//! Soft shrinkage.

use super::{Domain, FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Donoho 1995, De-Noising by Soft-Thresholding; torch.nn.Softshrink",
    domain: &[Domain {
        parameter: "lambd",
        holds: |p| p[0] >= 0.0,
        needs: "0 or more",
    }],
    y: |x, p| match x {
        _ if x > p[0] => x - p[0],
        _ if x < -p[0] => x + p[0],
        _ => 0.0,
    },
    dx: |x, p| if x > p[0] || x < -p[0] { 1.0 } else { 0.0 },
    knots: |p| vec![-p[0], p[0]],
    from_y: FromY::Yes(|y, _| if y == 0.0 { 0.0 } else { 1.0 }),
    is_flat: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
