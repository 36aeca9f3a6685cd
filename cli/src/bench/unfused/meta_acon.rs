//! Meta-ACON.

use super::tape::{CHANNELS, Named, Of, Tape, Value};
use super::{Unfused, Work};
use nonlin::layers::MetaAcon;

/// As the authors' code and YOLOv5's write it, without norms.
pub(crate) fn meta_acon(work: &Work<'_>, layer: &MetaAcon) -> Unfused {
    let mut tape = Tape::new(work);
    let t = &mut tape;
    let (x, dy) = (t.x.clone(), t.dy.clone());
    let channels = t.channels();
    let hidden = layer.minimum.max(channels / layer.reduction);
    let [p1, p2] = ["p1", "p2"].map(|name| t.parameter(name));
    let scale = |t: &mut Tape<'_>, entry: &str, x: &Value, v: &Value| {
        let inputs: [Named<'_>; 2] = [("x", x), ("v", v)];
        t.map(&CHANNELS, entry, Of::Each, &inputs, &[])
    };
    let means = t.of_planes("plane_mean", &[("x", &x)]);
    let inner = t.dense("fc1", &means, channels, hidden);
    let q = t.dense("fc2", &inner, hidden, channels);
    let beta = t.each("sigmoid", &[("a", &q)]);
    let d = t.each("subtract", &[("a", &p1), ("b", &p2)]);
    let u = scale(t, "scale_channels", &x, &d);
    let z = scale(t, "scale_planes", &u, &beta);
    let s = t.each("sigmoid", &[("a", &z)]);
    let us = t.each("multiply", &[("a", &u), ("b", &s)]);
    let px = scale(t, "scale_channels", &x, &p2);
    let y = t.add(&us, &px);
    let forward = t.take();

    let to_p2 = t.of_channels("channel_dot", &[("d", &dy), ("x", &x)]);
    let dx = scale(t, "scale_channels", &dy, &p2);
    let du = t.each("multiply", &[("a", &dy), ("b", &s)]);
    let ds = t.each("multiply", &[("a", &dy), ("b", &u)]);
    let dz = t.each("sigmoid_backward", &[("d", &ds), ("a", &s)]);
    let dbeta = t.of_planes("plane_dot", &[("d", &dz), ("x", &u)]);
    let more = scale(t, "scale_planes", &dz, &beta);
    let du = t.add(&du, &more);
    let dd = t.of_channels("channel_dot", &[("d", &du), ("x", &x)]);
    let more = scale(t, "scale_channels", &du, &d);
    let dx = t.add(&dx, &more);
    let dp2 = t.each("subtract", &[("a", &to_p2), ("b", &dd)]);
    t.keep("p1", dd);
    t.keep("p2", dp2);
    let dq = t.each("sigmoid_backward", &[("d", &dbeta), ("a", &beta)]);
    let dinner = t.dense_backward("fc2", &inner, &dq, hidden, channels);
    let dmeans = t.dense_backward("fc1", &means, &dinner, channels, hidden);
    let dx = t.means_backward(&dx, &dmeans);
    tape.finish(forward, y, dx)
}
