//! SiTU: a swish whose line is bounded by a hyperbolic tangent.

use super::{Counts, Domain, FromY, Gradient, Room, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "TransformerEngine, SiTU-GLU; FlashInfer, Situ",
    domain: &[Domain::divisor::<0>("beta")],
    y: |x, p| p[0] * (x / p[0]).tanh() * sigmoid64(x),
    dx: |x, p| {
        let (up, down) = slopes(x, p[0]);
        up + down
    },
    dx_terms: |x, p| {
        let (up, down) = slopes(x, p[0]);
        up.abs() + down.abs()
    },
    // A hyperbolic tangent times a logistic function: the errors of both.
    budget: 5.0,
    // The quotient is rounded, as if beta were another.
    product: Some(0),
    from_y: FromY::No("two inputs have the same value"),
    gradients: &[Gradient {
        parameter: "beta",
        is_flat: false,
        counts: Counts::Everywhere,
        d: |x, p| {
            let (tanh, line) = bends(x / p[0]);
            (tanh - line) * sigmoid64(x)
        },
        terms: |x, p| {
            let (tanh, line) = bends(x / p[0]);
            (tanh.abs() + line.abs()) * sigmoid64(x)
        },
    }],
    wgsl_terms: [
        "0.0",
        "select(0.0, 0.25 * abs(dy), abs(x) < 4.0)",
    ],
    walked: Some([4.0, 4.0]),
    ..Room::PLAIN
};

/// The derivative's terms.
fn slopes(x: f64, beta: f64) -> (f64, f64) {
    let v = x / beta;
    let up = sigmoid64(x) / (v.cosh() * v.cosh());
    (up, beta * v.tanh() * sigmoid64(x) * sigmoid64(-x))
}

/// tanh(v), and v times its derivative.
fn bends(v: f64) -> (f64, f64) {
    let near = v.clamp(-300.0, 300.0);
    (v.tanh(), near / (near.cosh() * near.cosh()))
}
