//! Leaky ReLU.

use super::Room;

pub(super) const ROOM: Room = Room {
    source: "Maas et al. 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models; \
             torch.nn.LeakyReLU",
    y: |x, p| if x > 0.0 { x } else { p[0] * x },
    dx: |x, p| if x > 0.0 { 1.0 } else { p[0] },
    knots: |_| vec![0.0],
    ..Room::PLAIN
};
