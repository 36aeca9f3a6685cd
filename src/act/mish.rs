//! Mish.

use super::{Bend, FromY, Room, Second, sigmoid64};

pub(super) const ROOM: Room = Room {
    source: "Misra 2019, arXiv:1908.08681; torch.nn.Mish",
    y: |x, _| x * x.exp().ln_1p().tanh(),
    dx: |x, _| {
        let t = x.exp().ln_1p().tanh();
        t + x * sigmoid64(x) * (1.0 - t * t)
    },
    roots: &[-1.192_431_214_515_495_2],
    from_y: FromY::No("two inputs have the same value"),
    wgsl_terms: [
        "0.0",
        "select(0.0, 0.0625 * abs(dy), abs(x + 1.0) < 0.5)",
    ],
    second: Second::Is(Bend {
        roots: &[-2.256_376_396_360_793, 1.490_571_179_485_429],
        ..Bend::new(bend)
    }),
    walked: Some([3.0, 4.0]),
    ..Room::PLAIN
};

/// With t = tanh(softplus(x)), whose derivative is t' = s (1 - t^2): 2 t' + x t'', t'' = t' ((1 - s) - 2 t s).
fn bend(x: f64, _: &[f64]) -> f64 {
    let (s, rest) = (sigmoid64(x), sigmoid64(-x));
    let t = x.exp().ln_1p().tanh();
    // 1 - t^2 = 1 / cosh^2, without the cancellation.
    let slope = s * x.exp().ln_1p().cosh().powi(-2);
    slope * (2.0 + x * (rest - 2.0 * t * s))
}
