//! oneDNN's hard swish, with any slope and offset.

use super::{Counts, Domain, FromY, Gradient, Room};

pub(super) const ROOM: Room = Room {
    source: "oneDNN, eltwise_hardswish",
    domain: &[Domain::factor::<0>("alpha"), Domain::factor::<1>("beta")],
    y: |x, p| match side(x, p) {
        Side::Below => 0.0,
        Side::Between => x * (p[0] * x + p[1]),
        Side::Above => x,
    },
    dx: |x, p| match side(x, p) {
        Side::Below => 0.0,
        Side::Between => 2.0 * p[0] * x + p[1],
        Side::Above => 1.0,
    },
    knots: |p| vec![-p[1] / p[0], (1.0 - p[1]) / p[0]],
    y_terms: |x, p| match side(x, p) {
        Side::Between => x.abs() * ((p[0] * x).abs() + p[1].abs()),
        _ => 0.0,
    },
    dx_terms: |x, p| match side(x, p) {
        Side::Between => 2.0 * (p[0] * x).abs() + p[1].abs(),
        _ => 0.0,
    },
    // On which side of a knot x lies is decided by the product and 1 - beta, as rounded.
    product: Some(0),
    roundings: 2.0,
    from_y: FromY::No("two inputs have the same value"),
    is_flat: true,
    gradients: &[
        Gradient {
            parameter: "alpha",
            is_flat: true,
            counts: Counts::Everywhere,
            d: |x, p| {
                if side(x, p) == Side::Between {
                    x * x
                } else {
                    0.0
                }
            },
            terms: |_, _| 0.0,
        },
        Gradient {
            parameter: "beta",
            is_flat: true,
            counts: Counts::Everywhere,
            d: |x, p| if side(x, p) == Side::Between { x } else { 0.0 },
            terms: |_, _| 0.0,
        },
    ],
    wgsl_terms: [
        "select(0.0, abs(x), args.scalars.s1_alpha * x > -args.scalars.s1_beta)",
        "select(0.0, abs(dy), args.scalars.s1_alpha * x > -args.scalars.s1_beta)",
    ],
    walked: Some([1.5, 1.0]),
    ..Room::PLAIN
};

/// Where alpha x + beta lies.
#[derive(PartialEq)]
enum Side {
    Below,
    Between,
    Above,
}

/// Decided by alpha x, not by the sum, which may round up to 1.
fn side(x: f64, p: &[f64]) -> Side {
    let line = if p[0] == 0.0 { 0.0 } else { p[0] * x };
    match line {
        _ if line <= -p[1] => Side::Below,
        _ if line >= 1.0 - p[1] => Side::Above,
        _ => Side::Between,
    }
}
