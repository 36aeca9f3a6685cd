//! x less its hyperbolic tangent.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "torch.nn.Tanhshrink",
    y: |x, _| {
        if x.abs() < 0.1 {
            series(x)
        } else {
            x - x.tanh()
        }
    },
    dx: |x, _| x.tanh().powi(2),
    from_y: FromY::No("x has no closed form in it"),
    walked: Some([3.5, 2.5]),
    ..Room::PLAIN
};

/// x - tanh(x) near zero, where the difference cancels, by tanh's Taylor series.
fn series(x: f64) -> f64 {
    let s = x * x;
    let terms = [
        1.0 / 3.0,
        -2.0 / 15.0,
        17.0 / 315.0,
        -62.0 / 2835.0,
        1382.0 / 155_925.0,
        -21_844.0 / 6_081_075.0,
        929_569.0 / 638_512_875.0,
    ];
    x * s
        * terms
            .into_iter()
            .rev()
            .fold(0.0, |sum, term| sum * s + term)
}
