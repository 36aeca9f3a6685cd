//! CELU.

use super::Room;

pub(super) const ROOM: Room = Room {
    source: "Barron 2017, arXiv:1704.07483; torch.nn.CELU",
    y: |x, p| {
        if x > 0.0 {
            x
        } else {
            p[0] * (x / p[0]).exp_m1()
        }
    },
    dx: |x, p| if x > 0.0 { 1.0 } else { (x / p[0]).exp() },
    knots: |_| vec![0.0],
    ..Room::PLAIN
};
