//! FReLU.

use super::tape::{CHANNELS, CONVOLUTION, CONVOLUTION_WEIGHT, Number, Of, Tape, Value};
use super::{Unfused, Work};
use nonlin::layers::{BatchNorm, Frelu};

/// A window of a depthwise convolution: what stands behind its parameters' names, its height and its width.
type Window = (&'static str, u64, u64);

/// A convolution, and what its norm takes off and multiplies by.
struct Normalized {
    conv: Value,
    mean: Value,
    inverse: Value,
}

/// Convolution, batch norm, and the larger.
pub(crate) fn frelu(work: &Work<'_>, layer: &Frelu) -> Unfused {
    let mut tape = Tape::new(work);
    let t = &mut tape;
    let (x, dy) = (t.x.clone(), t.dy.clone());
    let (height, width) = layer.kernel;
    let windows = match layer.light {
        true => vec![("", 1, width), ("2", height, 1)],
        false => vec![("", height, width)],
    };
    let mut parts = Vec::new();
    let mut norms = Vec::new();
    for window in &windows {
        let conv = t.convolution(*window, &x);
        let Some(norm) = &layer.norm else {
            parts.push(conv);
            norms.push(None);
            continue;
        };
        let (part, normalized) = t.normalize(window.0, norm, conv);
        parts.push(part);
        norms.push(Some((norm, normalized)));
    }
    let funnel = match &parts[..] {
        [one, two] => t.add(one, two),
        parts => parts[0].clone(),
    };
    let y = t.each("larger", &[("a", &x), ("b", &funnel)]);
    let forward = t.take();

    let mut dx = t.each("larger_backward", &[("d", &dy), ("a", &x), ("b", &funnel)]);
    let dt = t.each("larger_backward", &[("d", &dy), ("a", &funnel), ("b", &x)]);
    for (window, norm) in windows.iter().zip(&norms) {
        let mark = window.0;
        let d = match norm {
            Some((norm, normalized)) => t.normalize_backward(mark, norm, normalized, &dt),
            None => dt.clone(),
        };
        if layer.bias {
            let dbias = t.of_channels("channel_sum", &[("x", &d)]);
            t.keep(format!("bias{mark}"), dbias);
        }
        let more = t.convolution_backward(*window, &x, &d);
        dx = t.add(&dx, &more);
    }
    tape.finish(forward, y, dx)
}

impl Tape<'_> {
    /// What kernels know of a window and of the images.
    fn sizes(&self, (_, height, width): Window) -> [Number<'static>; 4] {
        [
            ("HEIGHT", height as f64),
            ("WIDTH", width as f64),
            ("ROWS", self.images.height as f64),
            ("COLUMNS", self.images.width as f64),
        ]
    }

    fn convolution(&mut self, window: Window, x: &Value) -> Value {
        let (mark, sizes) = (window.0, self.sizes(window));
        let w = self.parameter(&format!("weight{mark}"));
        let bias = format!("bias{mark}");
        if !self.has_parameter(&bias) {
            let inputs = [("x", x), ("w", &w)];
            return self.map(&CONVOLUTION, "convolution", Of::Each, &inputs, &sizes);
        }
        let inputs = [("x", x), ("w", &w), ("b", &self.parameter(&bias))];
        let entry = "convolution_with_bias";
        self.map(&CONVOLUTION, entry, Of::Each, &inputs, &sizes)
    }

    /// The gradient of its input; that of its weight is kept.
    fn convolution_backward(&mut self, window: Window, x: &Value, d: &Value) -> Value {
        let ((mark, height, width), sizes) = (window, self.sizes(window));
        let file = &CONVOLUTION_WEIGHT;
        // A workgroup for each of the windows' rows.
        let groups = self.channels() * height;
        let dw = self.room(Of::Column(groups * width), 1);
        let inputs = [("x", x), ("d", d)];
        self.sums_into(file, "weight_gradient", (&dw, 0), groups, &inputs, &sizes);
        self.keep(format!("weight{mark}"), dw);
        let w = self.parameter(&format!("weight{mark}"));
        let inputs = [("x", d), ("w", &w)];
        self.map(&CONVOLUTION, "input_gradient", Of::Each, &inputs, &sizes)
    }

    /// A batch norm, without renewing running statistics.
    fn normalize(&mut self, mark: &str, norm: &BatchNorm, conv: Value) -> (Value, Normalized) {
        let (mean, variance) = if norm.training {
            let mean = self.of_channels("channel_mean", &[("x", &conv)]);
            let inputs = [("x", &conv), ("mean", &mean)];
            let variance = self.of_channels("channel_variance", &inputs);
            (mean, variance)
        } else {
            let running = |name: &str| self.parameter(&format!("running_{name}{mark}"));
            (running("mean"), running("var"))
        };
        let of = Of::Column(self.channels());
        let eps = [("EPS", f64::from(norm.eps as f32))];
        let inputs = [("v", &variance)];
        let inverse = self.map(&CHANNELS, "inverse_deviation", of, &inputs, &eps);
        let [weight, bias] =
            ["weight", "bias"].map(|part| self.parameter(&format!("bn{mark}_{part}")));
        let inputs = [
            ("x", &conv),
            ("mean", &mean),
            ("inverse", &inverse),
            ("weight", &weight),
            ("bias", &bias),
        ];
        let value = self.map(&CHANNELS, "normalize", Of::Each, &inputs, &[]);
        let normalized = Normalized {
            conv,
            mean,
            inverse,
        };
        (value, normalized)
    }

    /// The gradient of what a batch norm takes; those of its parameters are kept.
    fn normalize_backward(
        &mut self,
        mark: &str,
        norm: &BatchNorm,
        of: &Normalized,
        d: &Value,
    ) -> Value {
        let dbias = self.of_channels("channel_sum", &[("x", d)]);
        let Normalized {
            conv,
            mean,
            inverse,
        } = of;
        let mut inputs = vec![("d", d), ("x", conv), ("mean", mean), ("inverse", inverse)];
        let dweight = self.of_channels("channel_dot_normalized", &inputs);
        let weight = self.parameter(&format!("bn{mark}_weight"));
        let dx = if norm.training {
            inputs.extend([
                ("weight", &weight),
                ("dbias", &dbias),
                ("dweight", &dweight),
            ]);
            let entry = "normalize_backward_training";
            let count = [("COUNT", (self.images.samples * self.places()) as f64)];
            self.map(&CHANNELS, entry, Of::Each, &inputs, &count)
        } else {
            let inputs = [("d", d), ("weight", &weight), ("inverse", inverse)];
            self.map(&CHANNELS, "normalize_backward", Of::Each, &inputs, &[])
        };
        self.keep(format!("bn{mark}_bias"), dbias);
        self.keep(format!("bn{mark}_weight"), dweight);
        dx
    }
}
