//! SELU.

use super::{Bend, FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "Klambauer et al. 2017, arXiv:1706.02515; torch.nn.SELU",
    y: |x, _| {
        if x > 0.0 {
            SCALE * x
        } else {
            SCALE * ALPHA * x.exp_m1()
        }
    },
    dx: |x, _| {
        if x > 0.0 {
            SCALE
        } else {
            SCALE * ALPHA * x.exp()
        }
    },
    knots: |_| vec![0.0],
    from_y: FromY::Yes(|y, _| if y > 0.0 { SCALE } else { y + SCALE * ALPHA }),
    second: Second::Is(Bend {
        is_flat: true,
        ..Bend::new(|x, _| {
            if x > 0.0 {
                0.0
            } else {
                SCALE * ALPHA * x.exp()
            }
        })
    }),
    walked: Some([2.0, 1.5]),
    ..Room::PLAIN
};

const ALPHA: f64 = 1.673_263_242_354_377_2;
const SCALE: f64 = 1.050_700_987_355_480_5;
