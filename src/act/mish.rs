//! Mish.

use super::{FromY, Room, sigmoid64};

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
    ..Room::PLAIN
};
