//! Softplus, linear above a threshold.

use super::{Room, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "Dugas et al. 2000, Incorporating Second-Order Functional Knowledge for Better Option \
             Pricing; torch.nn.Softplus",
    y: |x, p| {
        if p[0] * x > p[1] {
            x
        } else {
            (p[0] * x).exp().ln_1p() / p[0]
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
    ..Room::PLAIN
};
