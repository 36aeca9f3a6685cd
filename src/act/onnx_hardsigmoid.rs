//! ONNX's hard sigmoid, with any slope and offset.

use super::{Domain, FromY, Room, Second};

pub(super) const ROOM: Room = Room {
    source: "ONNX operator HardSigmoid, version 6",
    domain: &[Domain::factor::<0>("alpha"), Domain::factor::<1>("beta")],
    y: |x, p| (p[0] * x + p[1]).clamp(0.0, 1.0),
    dx: |x, p| {
        // Not the sum, which may round up to 1.
        let line = p[0] * x;
        if line > -p[1] && line < 1.0 - p[1] {
            p[0]
        } else {
            0.0
        }
    },
    knots: |p| vec![-p[1] / p[0], (1.0 - p[1]) / p[0]],
    y_terms: |x, p| match p[0] * x {
        line if line > -p[1] && line < 1.0 - p[1] => line.abs() + p[1].abs(),
        _ => 0.0,
    },
    // On which side of a knot x lies is decided by the product and 1 - beta, as rounded.
    product: Some(0),
    roundings: 2.0,
    from_y: FromY::Yes(|y, p| if y > 0.0 && y < 1.0 { p[0] } else { 0.0 }),
    is_flat: true,
    wgsl_terms: [
        "select(0.0, value + 2.0 * abs(args.scalars.s1_beta), value > 0.0)",
        "0.0",
    ],
    second: Second::Zero,
    walked: Some([1.0, 0.5]),
    ..Room::PLAIN
};
