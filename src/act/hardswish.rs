//! Hard swish. Its derivative is 0 at -3 and 1 at 3, as in PyTorch since 2.7.

use super::{FromY, Room};

pub(super) const ROOM: Room = Room {
    source: "Howard et al. 2019, arXiv:1905.02244; torch.nn.Hardswish",
    y: |x, _| x * ((x + 3.0).clamp(0.0, 6.0) / 6.0),
    dx: |x, _| match x {
        _ if x <= -3.0 => 0.0,
        _ if x < 3.0 => x / 3.0 + 0.5,
        _ => 1.0,
    },
    knots: |_| vec![-3.0, 3.0],
    from_y: FromY::No("two inputs have the same value"),
    is_flat: true,
    walked: Some([2.5, 1.5]),
    ..Room::PLAIN
};
