//! Hard tanh.

use super::{Domain, FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Collobert 2004, Large Scale Machine Learning; torch.nn.Hardtanh",
    takes_infinity: true,
    domain: &[Domain {
        parameter: "max_val",
        holds: |p| p[0].is_nan() || p[0] <= p[1],
        needs: "no less than min_val",
    }],
    // Not clamp, which panics where the bounds are the wrong way round.
    y: |x, p| x.max(p[0]).min(p[1]),
    dx: |x, p| if x > p[0] && x < p[1] { 1.0 } else { 0.0 },
    knots: |p| vec![p[0], p[1]],
    from_y: FromY::Yes(|y, p| if y > p[0] && y < p[1] { 1.0 } else { 0.0 }),
    is_flat: true,
    is_exact_in_f32: true,
    second: Second::Zero,
    walked: Some([0.5, 0.5]),
    ..Room::PLAIN
};
