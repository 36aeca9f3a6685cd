//! Dynamic ReLU.

use super::tape::{ATTENTION, LINES, Number, Of, Tape, Value};
use super::{Unfused, Work};
use nonlin::layers::{DynamicRelu, Variant};

/// A layer's sizes.
struct Sizes {
    channels: u64,
    hidden: u64,
    /// Lines.
    k: u64,
    /// Whether all channels have the same lines.
    shared: bool,
}

/// What the small layers leave for backward.
struct Small {
    means: Value,
    before: Value,
    inner: Value,
    /// Of each coefficient, from 0 to 1.
    s: Value,
}

/// What the spatial attention leaves for backward.
struct Attention {
    softmax: Value,
    factors: Value,
    /// TEMPERATURE and GAMMA.
    numbers: [Number<'static>; 2],
}

/// The lines one by one, and the largest of them.
pub(crate) fn dynamic_relu(work: &Work<'_>, layer: &DynamicRelu) -> Unfused {
    let mut tape = Tape::new(work);
    let t = &mut tape;
    let (x, dy) = (t.x.clone(), t.dy.clone());
    let sizes = Sizes {
        channels: t.channels(),
        hidden: (t.channels() / layer.reduction).max(1),
        k: layer.k,
        shared: layer.variant == Variant::A,
    };
    let (small, coefficients) = sizes.coefficients(t, layer, &x);
    let lines = sizes.lines(t, &x, &coefficients);
    let value = match sizes.k {
        1 => lines.clone(),
        k => {
            let numbers = [("LINES", k as f64)];
            t.map(&LINES, "largest", Of::Each, &[("lines", &lines)], &numbers)
        }
    };
    let attention = (layer.variant == Variant::C).then(|| Attention::new(t, layer, &x));
    let y = match &attention {
        Some(attention) => attention.apply(t, &value),
        None => value.clone(),
    };
    let forward = t.take();

    let (dvalue, dlogits) = match &attention {
        Some(attention) => {
            let (dvalue, dlogits) = attention.backward(t, &dy, &value);
            (dvalue, Some(dlogits))
        }
        None => (dy, None),
    };
    let (dx, sums) = sizes.lines_backward(t, &x, &coefficients, &lines, &dvalue);
    let dmeans = sizes.coefficients_backward(t, layer, &small, &sums);
    let mut dx = t.means_backward(&dx, &dmeans);
    if let Some(dlogits) = &dlogits {
        dx = Attention::logits_backward(t, dlogits, &x, &dx);
    }
    tape.finish(forward, y, dx)
}

impl Sizes {
    /// The small layers' outputs in each sample.
    fn outputs(&self) -> u64 {
        2 * self.k * if self.shared { 1 } else { self.channels }
    }

    /// LINES, and how far coefficients may be off.
    fn numbers(&self, layer: &DynamicRelu) -> [Number<'static>; 3] {
        [
            ("LINES", self.k as f64),
            ("LAMBDA_SLOPE", f64::from(layer.lambda_slope as f32)),
            ("LAMBDA_INTERCEPT", f64::from(layer.lambda_intercept as f32)),
        ]
    }

    /// The small layers, and the sets of coefficients that they come to.
    fn coefficients(&self, t: &mut Tape<'_>, layer: &DynamicRelu, x: &Value) -> (Small, Value) {
        let means = t.of_planes("plane_mean", &[("x", x)]);
        let before = t.dense("fc1", &means, self.channels, self.hidden);
        let inner = t.each("relu", &[("a", &before)]);
        let q = t.dense("fc2", &inner, self.hidden, self.outputs());
        let s = t.each("sigmoid", &[("a", &q)]);
        let given = |values: &[f64]| -> Vec<f32> {
            let given = values.iter().copied().chain(std::iter::repeat(0.0));
            given.take(self.k as usize).map(|v| v as f32).collect()
        };
        let (slopes, intercepts) = (&layer.initial_slopes, &layer.initial_intercepts);
        let initial = t.constant(&[given(slopes), given(intercepts)].concat());
        let of = Of::Row(self.outputs());
        let inputs = [("initial", &initial), ("s", &s)];
        let numbers = self.numbers(layer);
        let coefficients = t.map(&LINES, "coefficients_of", of, &inputs, &numbers);
        let small = Small {
            means,
            before,
            inner,
            s,
        };
        (small, coefficients)
    }

    /// What kernels know that apply coefficient `which` of each set.
    fn line_numbers(&self, which: u64) -> [Number<'static>; 3] {
        let planes = if self.shared { self.channels } else { 1 };
        [
            ("LINES", self.k as f64),
            ("WHICH", which as f64),
            ("PLANES", planes as f64),
        ]
    }

    /// All lines' values, line by line.
    fn lines(&self, t: &mut Tape<'_>, x: &Value, coefficients: &Value) -> Value {
        let lines = t.room(Of::Each, self.k);
        for line in 0..self.k {
            let slope = self.times_slope(t, line, x, coefficients);
            let numbers = self.line_numbers(self.k + line);
            let inputs = [("x", &slope), ("coefficients", coefficients)];
            t.map_into(&LINES, "plus_intercept", (&lines, line), &inputs, &numbers);
        }
        lines
    }

    /// x, or a line's gradient, times the line's slope.
    fn times_slope(&self, t: &mut Tape<'_>, line: u64, x: &Value, coefficients: &Value) -> Value {
        let numbers = self.line_numbers(line);
        let inputs = [("x", x), ("coefficients", coefficients)];
        t.map(&LINES, "times_slope", Of::Each, &inputs, &numbers)
    }

    /// The gradient of x by way of the lines, and of their coefficients in each plane, coefficient by coefficient.
    fn lines_backward(
        &self,
        t: &mut Tape<'_>,
        x: &Value,
        coefficients: &Value,
        lines: &Value,
        d: &Value,
    ) -> (Value, Value) {
        let sums = t.room(Of::Row(self.channels), 2 * self.k);
        let mut dx: Option<Value> = None;
        for line in 0..self.k {
            let dline = match self.k {
                1 => d.clone(),
                k => {
                    let inputs = [("d", d), ("lines", lines)];
                    let numbers = [("LINES", k as f64), ("WHICH", line as f64)];
                    t.map(&LINES, "largest_backward", Of::Each, &inputs, &numbers)
                }
            };
            t.of_planes_into("plane_sum", (&sums, self.k + line), &[("x", &dline)]);
            let inputs = [("d", &dline), ("x", x)];
            t.of_planes_into("plane_dot", (&sums, line), &inputs);
            let more = self.times_slope(t, line, &dline, coefficients);
            dx = Some(match dx {
                Some(dx) => t.add(&dx, &more),
                None => more,
            });
        }
        (dx.unwrap_or_else(|| d.clone()), sums)
    }

    /// The gradient of the means; those of the small layers' parameters are kept.
    fn coefficients_backward(
        &self,
        t: &mut Tape<'_>,
        layer: &DynamicRelu,
        small: &Small,
        sums: &Value,
    ) -> Value {
        let (hidden, outputs) = (self.hidden, self.outputs());
        let numbers = self.numbers(layer);
        let join = if self.shared {
            "join_samples"
        } else {
            "join_planes"
        };
        let of = Of::Row(outputs);
        let joined = t.map(&LINES, join, of, &[("sums", sums)], &numbers);
        let inputs = [("sums", &joined), ("s", &small.s)];
        let dq = t.map(&LINES, "coefficients_backward", of, &inputs, &numbers);
        let dinner = t.dense_backward("fc2", &small.inner, &dq, hidden, outputs);
        let dbefore = t.each("relu_backward", &[("d", &dinner), ("a", &small.before)]);
        t.dense_backward("fc1", &small.means, &dbefore, self.channels, hidden)
    }
}

impl Attention {
    fn new(t: &mut Tape<'_>, layer: &DynamicRelu, x: &Value) -> Self {
        let gamma = layer.gamma.unwrap_or(t.places() as f64 / 3.0);
        let numbers = [
            ("TEMPERATURE", f64::from(layer.temperature as f32)),
            ("GAMMA", f64::from(gamma as f32)),
        ];
        let [w, b] = ["spatial_weight", "spatial_bias"].map(|name| t.parameter(name));
        let inputs = [("x", x), ("w", &w), ("b", &b)];
        let logits = t.map(&ATTENTION, "logits", Of::Place, &inputs, &numbers);
        let largest = t.of_samples("plane_largest", &[("x", &logits)]);
        let inputs = [("a", &logits), ("v", &largest)];
        let powers = t.map(&ATTENTION, "powers", Of::Place, &inputs, &[]);
        let sum = t.of_samples("plane_sum", &[("x", &powers)]);
        let inputs = [("a", &powers), ("v", &sum)];
        let softmax = t.map(&ATTENTION, "softmax", Of::Place, &inputs, &[]);
        let inputs = [("a", &softmax)];
        let factors = t.map(&ATTENTION, "factors", Of::Place, &inputs, &numbers);
        Attention {
            softmax,
            factors,
            numbers,
        }
    }

    fn apply(&self, t: &mut Tape<'_>, x: &Value) -> Value {
        let inputs = [("x", x), ("a", &self.factors)];
        t.map(&ATTENTION, "times_factors", Of::Each, &inputs, &[])
    }

    /// The gradients of the lines' value and of the logits.
    fn backward(&self, t: &mut Tape<'_>, dy: &Value, value: &Value) -> (Value, Value) {
        let (of, a) = (Of::Place, &self.softmax);
        let inputs = [("dy", dy), ("x", value)];
        let dfactors = t.map(&ATTENTION, "factors_gradient", of, &inputs, &[]);
        let dvalue = self.apply(t, dy);
        let inputs = [("d", &dfactors), ("a", a)];
        let d = t.map(&ATTENTION, "factors_backward", of, &inputs, &self.numbers);
        let sum = t.of_samples("plane_dot", &[("d", &d), ("x", a)]);
        let inputs = [("a", a), ("d", &d), ("v", &sum)];
        let dlogits = t.map(&ATTENTION, "softmax_backward", of, &inputs, &self.numbers);
        (dvalue, dlogits)
    }

    /// Adds to dx what comes by way of the logits; the gradients of their convolution's parameters are kept.
    fn logits_backward(t: &mut Tape<'_>, d: &Value, x: &Value, dx: &Value) -> Value {
        let dw = t.of_channels("channel_dot_places", &[("d", d), ("x", x)]);
        t.keep("spatial_weight", dw);
        let of_samples = t.of_samples("plane_sum", &[("x", d)]);
        let db = t.over_samples(&of_samples, 1);
        t.keep("spatial_bias", db);
        let w = t.parameter("spatial_weight");
        let inputs = [("x", dx), ("d", d), ("w", &w)];
        t.map(&ATTENTION, "add_logits_backward", Of::Each, &inputs, &[])
    }
}
