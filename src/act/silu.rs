//! SiLU, the same as swish(beta=1).

use super::{Bend, FromY, Room, Second, sigmoid64, swish_bend64};

pub(super) const ROOM: Room = Room {
    source: "Hendrycks and Gimpel 2016, arXiv:1606.08415; Elfwing et al. 2017, arXiv:1702.03118; \
             torch.nn.SiLU",
    y: |x, _| x * sigmoid64(x),
    dx: |x, _| sigmoid64(x) * (1.0 + x * sigmoid64(-x)),
    roots: &[-1.278_464_542_761_074],
    from_y: FromY::No("two inputs have the same value"),
    wgsl_terms: [
        "0.0",
        "select(0.0, 0.0625 * abs(dy), abs(x + 1.0) < 0.5)",
    ],
    second: Second::Is(Bend {
        roots: &[-2.399_357_280_515_468, 2.399_357_280_515_468],
        ..Bend::new(|x, _| swish_bend64(x))
    }),
    walked: Some([3.0, 3.5]),
    ..Room::PLAIN
};
