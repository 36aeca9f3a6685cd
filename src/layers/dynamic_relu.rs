//! Dynamic ReLU.

use super::parts::{Dense, means, means_backward, sigmoid_slope};
use super::{Gradients, Images, Input, Outputs, Parameter, Parameters, bad_setting};
use crate::error::{Error, named};
use std::{fmt, str::FromStr};

/// Who shares a dynamic ReLU's coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Variant {
    /// All elements of a sample.
    A,
    /// All elements of a sample's channel.
    #[default]
    B,
    /// As B, with a factor for each place besides.
    C,
}

impl Variant {
    /// Every variant.
    pub const ALL: [Variant; 3] = [Variant::A, Variant::B, Variant::C];
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Variant::A => "a",
            Variant::B => "b",
            Variant::C => "c",
        })
    }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        named("variant", &Self::ALL, text)
    }
}

/// Dynamic ReLU: y = max_k(a_k x + b_k), the largest of K straight lines, whose slopes and intercepts two
/// small layers make from the image.
///
/// q = fc2(relu(fc1(m))), with m\[n, c\] the mean of x over h and w; θ = 2 sigmoid(q) - 1; the slopes are
/// a_k = initial slope k + lambda_slope θ_k, the intercepts b_k = initial intercept k +
/// lambda_intercept θ_(K+k). fc1 has max(1, C / reduction) outputs, the quotient rounded down. fc2 has 2K
/// outputs, first K slopes, then K intercepts: in variant A once, for all channels; in B and C for each
/// channel, one channel's behind the other's.
///
/// Variant C multiplies all channels' values at a place by π = min(gamma softmax(s / temperature), 1). There
/// s\[n, h, w\] = spatial_bias + Σ_c spatial_weight\[c\] x\[n, c, h, w\], and the softmax is over h and w.
///
/// Among equal lines the one of the lowest k takes the gradient, as with `torch.max(dim)`; fc1's relu has the
/// slope 0 at 0; and π has none where gamma times the softmax is 1 or more, as with `hardtanh`.
///
/// Parameters: `fc1_weight` \[hidden, C\], `fc1_bias` \[hidden\]; `fc2_weight` \[2K, hidden\] or
/// \[2KC, hidden\], `fc2_bias` \[2K\] or \[2KC\]; in C, `spatial_weight` \[C\] and `spatial_bias` \[1\].
///
/// Chen, Dai, Liu, Chen, Yuan and Liu 2020, Dynamic ReLU, arXiv:2003.10027.
///
/// ```
/// use nonlin::layers::{DynamicRelu, Images, Layer, Parameters, Variant};
///
/// // With all of fc2 zero, the lines are x and 0: ReLU.
/// let layer = Layer::from(DynamicRelu { variant: Variant::A, ..DynamicRelu::default() });
/// let parameters = Parameters::new()
///     .with("fc1_weight", &[1.0])
///     .with("fc1_bias", &[0.0])
///     .with("fc2_weight", &[0.0; 4])
///     .with("fc2_bias", &[0.0; 4]);
/// let y = layer.forward(&Images::nchw(1, 1, 1, 2), &parameters, &[-2.0f32, 3.0])?.y;
/// assert_eq!(y, [0.0, 3.0]);
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicRelu {
    /// Who shares coefficients; B by default.
    pub variant: Variant,
    /// K, how many lines there are, 1 to 4; 2 by default.
    pub k: u64,
    /// By what the channels are divided for fc1's outputs; 4 by default, as in public implementations.
    pub reduction: u64,
    /// How far θ moves the slopes; 1 by default.
    pub lambda_slope: f64,
    /// How far θ moves the intercepts; 0.5 by default.
    pub lambda_intercept: f64,
    /// The slopes at θ = 0, zero where none is given; by default \[1\].
    pub initial_slopes: Vec<f64>,
    /// The intercepts at θ = 0, zero where none is given; by default none is.
    pub initial_intercepts: Vec<f64>,
    /// Variant C: what s is divided by; 10 by default.
    pub temperature: f64,
    /// Variant C: what the softmax is multiplied by; H W / 3 by default.
    pub gamma: Option<f64>,
}

impl Default for DynamicRelu {
    fn default() -> Self {
        DynamicRelu {
            variant: Variant::B,
            k: 2,
            reduction: 4,
            lambda_slope: 1.0,
            lambda_intercept: 0.5,
            initial_slopes: vec![1.0],
            initial_intercepts: Vec::new(),
            temperature: 10.0,
            gamma: None,
        }
    }
}

/// What of the forward pass the backward pass takes.
struct Lines<'a> {
    layers: [Dense<'a>; 2],
    means: Vec<f64>,
    /// fc1's values, and behind relu.
    before: Vec<f64>,
    hidden: Vec<f64>,
    q: Vec<f64>,
    /// Slopes and intercepts, as q.
    coefficients: Vec<f64>,
    /// The softmax over a sample's places, in variant C.
    softmax: Option<Vec<f64>>,
}

impl DynamicRelu {
    fn check(&self) -> Result<(), Error> {
        let bad = |setting, needs: &str, value: &dyn std::fmt::Debug| {
            Err(bad_setting(self.name(), setting, needs, value))
        };
        if !(1..=4).contains(&self.k) {
            return bad("k", "from 1 to 4", &self.k);
        }
        if self.reduction == 0 {
            return bad("reduction", "at least 1", &self.reduction);
        }
        for (setting, value) in [
            ("lambda_slope", self.lambda_slope),
            ("lambda_intercept", self.lambda_intercept),
        ] {
            if !value.is_finite() {
                return bad(setting, "finite", &value);
            }
        }
        for (setting, values) in [
            ("initial_slopes", &self.initial_slopes),
            ("initial_intercepts", &self.initial_intercepts),
        ] {
            if values.len() as u64 > self.k || values.iter().any(|value| !value.is_finite()) {
                let needs = format!("at most {} finite numbers", self.k);
                return bad(setting, &needs, values);
            }
        }
        for (setting, value) in [
            ("temperature", Some(self.temperature)),
            ("gamma", self.gamma),
        ] {
            if value.is_some_and(|value| !(value > 0.0 && value.is_finite())) {
                return bad(setting, "positive and finite", &value.unwrap_or(f64::NAN));
            }
        }
        Ok(())
    }

    /// K as a length; it has been found to be at most 4.
    pub(super) fn lines(&self) -> usize {
        self.k as usize
    }

    /// How far θ moves each coefficient of a set, first the slopes, then the intercepts.
    pub(super) fn lambdas(&self) -> Vec<f64> {
        let slopes = vec![self.lambda_slope; self.lines()];
        [slopes, vec![self.lambda_intercept; self.lines()]].concat()
    }

    /// The coefficients of a set at θ = 0.
    pub(super) fn initial(&self) -> Vec<f64> {
        let filled = |values: &[f64]| {
            let mut values = values.to_vec();
            values.resize(self.lines(), 0.0);
            values
        };
        let slopes = filled(&self.initial_slopes);
        [slopes, filled(&self.initial_intercepts)].concat()
    }

    fn gamma(&self, input: &Input<'_>) -> f64 {
        self.gamma.unwrap_or(input.shape.places() as f64 / 3.0)
    }

    fn lines_of<'a>(&self, input: &Input<'a>) -> Lines<'a> {
        let layers = ["fc1", "fc2"].map(|name| Dense::new(input, name));
        let means = means(input.shape, &input.x);
        let before = layers[0].forward(&means);
        let relu = |v: &f64| if *v <= 0.0 { 0.0 } else { *v };
        let hidden: Vec<f64> = before.iter().map(relu).collect();
        let q = layers[1].forward(&hidden);
        let (lambdas, initial) = (self.lambdas(), self.initial());
        let coefficient = |(i, q): (usize, &f64)| {
            let which = i % lambdas.len();
            // 2 sigmoid(q) - 1, which cancels near 0, is tanh(q / 2).
            initial[which] + lambdas[which] * (q / 2.0).tanh()
        };
        Lines {
            coefficients: q.iter().enumerate().map(coefficient).collect(),
            softmax: (self.variant == Variant::C).then(|| self.softmax(input)),
            layers,
            means,
            before,
            hidden,
            q,
        }
    }

    /// For each sample, over its places.
    fn softmax(&self, input: &Input<'_>) -> Vec<f64> {
        let (weight, bias) = (
            input.parameter("spatial_weight"),
            input.parameter("spatial_bias")[0],
        );
        let shape = input.shape;
        let mut softmax = Vec::new();
        for n in 0..shape.samples {
            let s = |place: usize| {
                let channels = weight.iter().enumerate();
                let terms = channels.map(|(c, w)| w * input.x[shape.plane(n, c).start + place]);
                (bias + terms.sum::<f64>()) / self.temperature
            };
            let s: Vec<f64> = (0..shape.places()).map(s).collect();
            // The largest is taken off, so that no exponential overflows.
            let largest = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = s.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            softmax.extend(powers.iter().map(|power| power / sum));
        }
        softmax
    }

    /// The gradient of s, given that of the places' factors.
    fn softmax_backward(
        &self,
        gamma: f64,
        input: &Input<'_>,
        softmax: &[f64],
        dfactors: &[f64],
    ) -> Vec<f64> {
        let places = input.shape.places();
        let mut ds = Vec::new();
        for (softmax, dfactors) in softmax.chunks(places).zip(dfactors.chunks(places)) {
            let below = |(p, d): (&f64, &f64)| if gamma * p < 1.0 { gamma * d } else { 0.0 };
            let dsoftmax: Vec<f64> = softmax.iter().zip(dfactors).map(below).collect();
            let mean: f64 = softmax.iter().zip(&dsoftmax).map(|(p, d)| p * d).sum();
            let pairs = softmax.iter().zip(&dsoftmax);
            ds.extend(pairs.map(|(p, d)| p * (d - mean) / self.temperature));
        }
        ds
    }

    /// Where the coefficients of a sample's channel begin.
    fn set(&self, input: &Input<'_>, sample: usize, channel: usize) -> usize {
        let which = match self.variant {
            Variant::A => sample,
            Variant::B | Variant::C => sample * input.shape.channels + channel,
        };
        which * 2 * self.lines()
    }

    /// The first of the largest lines at x, with its value.
    fn largest(&self, coefficients: &[f64], x: f64) -> (usize, f64) {
        let line = |k: usize| coefficients[k] * x + coefficients[self.lines() + k];
        let mut largest = (0, line(0));
        for k in 1..self.lines() {
            let value = line(k);
            // A NaN stays, as in PyTorch.
            if value > largest.1 || (value.is_nan() && !largest.1.is_nan()) {
                largest = (k, value);
            }
        }
        largest
    }
}

/// min(v, 1); a NaN stays.
fn factor(v: f64) -> f64 {
    if v > 1.0 { 1.0 } else { v }
}

/// Where a place of a sample stands among all samples' places.
fn spot(input: &Input<'_>, sample: usize, element: usize) -> usize {
    sample * input.shape.places() + element % input.shape.places()
}

impl DynamicRelu {
    pub(super) fn name(&self) -> &'static str {
        match self.variant {
            Variant::A => "dyrelu_a",
            Variant::B => "dyrelu_b",
            Variant::C => "dyrelu_c",
        }
    }

    /// Values between the two small layers.
    pub(super) fn hidden(&self, channels: u64) -> u64 {
        (channels / self.reduction).max(1)
    }

    /// Values behind the two small layers; none where they are more than u64 counts.
    pub(super) fn outputs(&self, channels: u64) -> Option<u64> {
        let sets = match self.variant {
            Variant::A => 1,
            Variant::B | Variant::C => channels,
        };
        sets.checked_mul(2 * self.k)
    }

    pub(super) fn parameters(&self, images: &Images) -> Result<Vec<Parameter>, Error> {
        images.elements()?;
        self.check()?;
        let channels = images.channels;
        let hidden = self.hidden(channels);
        let outputs = self
            .outputs(channels)
            .ok_or_else(|| images.bad("fc2 has more outputs than can be counted"))?;
        let mut parameters = Dense::parameters("fc1", channels, hidden).to_vec();
        parameters.extend(Dense::parameters("fc2", hidden, outputs));
        if self.variant == Variant::C {
            parameters.push(Parameter::learned("spatial_weight", &[channels]));
            parameters.push(Parameter::learned("spatial_bias", &[1]));
        }
        Ok(parameters)
    }

    pub(super) fn forward(&self, input: &Input<'_>) -> Outputs {
        let lines = self.lines_of(input);
        let gamma = self.gamma(input);
        let mut y = input.x.clone();
        for (n, c) in input.shape.planes() {
            let coefficients = &lines.coefficients[self.set(input, n, c)..];
            for i in input.shape.plane(n, c) {
                y[i] = self.largest(coefficients, y[i]).1;
                if let Some(softmax) = &lines.softmax {
                    y[i] *= factor(gamma * softmax[spot(input, n, i)]);
                }
            }
        }
        Outputs {
            y: input.stored(&y),
            running: Parameters::new(),
        }
    }

    pub(super) fn backward(&self, input: &Input<'_>, dy: &[f64]) -> Gradients {
        let lines = self.lines_of(input);
        let (shape, gamma) = (input.shape, self.gamma(input));
        let mut dx = vec![0.0; input.x.len()];
        let mut dcoefficients = vec![0.0; lines.coefficients.len()];
        let mut dfactors = vec![0.0; shape.samples * shape.places()];
        for (n, c) in shape.planes() {
            let set = self.set(input, n, c);
            for i in shape.plane(n, c) {
                let (k, value) = self.largest(&lines.coefficients[set..], input.x[i]);
                let mut dvalue = dy[i];
                if let Some(softmax) = &lines.softmax {
                    let spot = spot(input, n, i);
                    dfactors[spot] += dy[i] * value;
                    dvalue *= factor(gamma * softmax[spot]);
                }
                dx[i] = dvalue * lines.coefficients[set + k];
                dcoefficients[set + k] += dvalue * input.x[i];
                dcoefficients[set + self.lines() + k] += dvalue;
            }
        }
        let mut gradients = Parameters::new();

        let lambdas = self.lambdas();
        // dθ/dq = 2 sigmoid'(q)
        let to_q = |(i, (d, q)): (usize, (&f64, &f64))| {
            d * lambdas[i % lambdas.len()] * 2.0 * sigmoid_slope(*q)
        };
        let pairs = dcoefficients.iter().zip(&lines.q).enumerate();
        let dq: Vec<f64> = pairs.map(to_q).collect();
        let [fc1, fc2] = &lines.layers;
        let mut dhidden = fc2.backward(&lines.hidden, &dq, &mut gradients);
        for (d, before) in dhidden.iter_mut().zip(&lines.before) {
            if *before <= 0.0 {
                *d = 0.0;
            }
        }
        let dmeans = fc1.backward(&lines.means, &dhidden, &mut gradients);
        means_backward(shape, &dmeans, &mut dx);

        if let Some(softmax) = &lines.softmax {
            let ds = self.softmax_backward(gamma, input, softmax, &dfactors);
            logits_backward(input, &ds, &mut dx, &mut gradients);
        }
        Gradients {
            dx: input.stored(&dx),
            parameters: gradients,
        }
    }
}

/// Gradients of the places' logits, which are a product of x and a weight for each channel.
fn logits_backward(input: &Input<'_>, ds: &[f64], dx: &mut [f64], gradients: &mut Parameters) {
    let weight = input.parameter("spatial_weight");
    let mut dweight = vec![0.0; weight.len()];
    for (n, c) in input.shape.planes() {
        for i in input.shape.plane(n, c) {
            let ds = ds[spot(input, n, i)];
            dweight[c] += ds * input.x[i];
            dx[i] += ds * weight[c];
        }
    }
    gradients.set("spatial_weight", dweight);
    gradients.set("spatial_bias", vec![ds.iter().sum()]);
}
