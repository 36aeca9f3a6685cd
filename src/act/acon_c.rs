//! ACON-C.

use super::{Counts, Domain, FromY, Gradient, Room, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "Ma et al. 2020, Activate or Not, arXiv:2009.04759",
    domain: &[
        Domain::factor::<0>("p1"),
        Domain::factor::<1>("p2"),
        Domain::factor::<2>("beta"),
    ],
    // (p1 - p2) x s + p2 x, with 1 - s = sigmoid(-z) in place of the difference.
    y: |x, p| terms(x, p).into_iter().sum::<f64>() * x,
    dx: |x, p| terms(x, p).into_iter().sum::<f64>() + bend(x, p),
    y_terms: |x, p| terms(x, p).map(f64::abs).into_iter().sum::<f64>() * x.abs(),
    dx_terms: |x, p| terms(x, p).map(f64::abs).into_iter().sum::<f64>() + bend(x, p).abs(),
    // beta (p1 - p2) x: a difference and two products.
    product: Some(2),
    roundings: 3.0,
    from_y: FromY::No("two inputs have the same value"),
    gradients: &[
        Gradient {
            parameter: "p1",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| x * slope(x, p, 1.0).into_iter().sum::<f64>(),
            terms: |x, p| x.abs() * slope(x, p, 1.0).map(f64::abs).into_iter().sum::<f64>(),
        },
        // x (1 - h(z)) is x h(-z).
        Gradient {
            parameter: "p2",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| x * slope(x, p, -1.0).into_iter().sum::<f64>(),
            terms: |x, p| x.abs() * slope(x, p, -1.0).map(f64::abs).into_iter().sum::<f64>(),
        },
        Gradient {
            parameter: "beta",
            is_flat: false,
            counts: Counts::Everywhere,
            d: |x, p| {
                let (u, z) = ((p[0] - p[1]) * x, p[2] * (p[0] - p[1]) * x);
                u * u * sigmoid64(z) * sigmoid64(-z)
            },
            terms: |_, _| 0.0,
        },
    ],
    walked: Some([3.5, 3.5]),
    ..Room::PLAIN
};

fn terms(x: f64, p: &[f64]) -> [f64; 2] {
    let z = p[2] * (p[0] - p[1]) * x;
    [p[0] * sigmoid64(z), p[1] * sigmoid64(-z)]
}

/// (p1 - p2) z s (1 - s)
fn bend(x: f64, p: &[f64]) -> f64 {
    let z = p[2] * (p[0] - p[1]) * x;
    (p[0] - p[1]) * z * sigmoid64(z) * sigmoid64(-z)
}

/// The derivative of z s(z), s (1 + z (1 - s)), with z = sign beta (p1 - p2) x.
fn slope(x: f64, p: &[f64], sign: f64) -> [f64; 2] {
    let z = sign * p[2] * (p[0] - p[1]) * x;
    [sigmoid64(z), z * sigmoid64(z) * sigmoid64(-z)]
}
