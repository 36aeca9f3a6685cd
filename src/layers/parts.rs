//! What the layers share: means of images, small fully connected layers, batch norm.

use super::{Images, Input, Parameter, Parameters, Shape, bad_setting};
use crate::error::Error;

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The derivative of [`sigmoid`], with sigmoid(-x) for 1 - sigmoid(x), which would cancel.
pub(super) fn sigmoid_slope(x: f64) -> f64 {
    sigmoid(x) * sigmoid(-x)
}

/// The mean of each channel of each sample.
pub(super) fn means(shape: Shape, x: &[f64]) -> Vec<f64> {
    let mean = |(n, c)| x[shape.plane(n, c)].iter().sum::<f64>() / shape.places() as f64;
    shape.planes().map(mean).collect()
}

/// Adds to `dx` what the gradient of the means gives.
pub(super) fn means_backward(shape: Shape, dmeans: &[f64], dx: &mut [f64]) {
    for ((n, c), dmean) in shape.planes().zip(dmeans) {
        for dx in &mut dx[shape.plane(n, c)] {
            *dx += dmean / shape.places() as f64;
        }
    }
}

/// A fully connected layer, y = W x + b for each sample: PyTorch's `Linear`, or a 1 x 1 convolution of an
/// image of one place. W is \[outputs, inputs\].
pub(super) struct Dense<'a> {
    name: &'static str,
    weight: &'a [f64],
    bias: &'a [f64],
}

impl<'a> Dense<'a> {
    pub(super) fn parameters(name: &str, inputs: u64, outputs: u64) -> [Parameter; 2] {
        [
            Parameter::learned(format!("{name}_weight"), &[outputs, inputs]),
            Parameter::learned(format!("{name}_bias"), &[outputs]),
        ]
    }

    pub(super) fn new(input: &Input<'a>, name: &'static str) -> Self {
        Dense {
            name,
            weight: input.parameter(&format!("{name}_weight")),
            bias: input.parameter(&format!("{name}_bias")),
        }
    }

    pub(super) fn outputs(&self) -> usize {
        self.bias.len()
    }

    fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len()
    }

    pub(super) fn forward(&self, x: &[f64]) -> Vec<f64> {
        let mut y = Vec::new();
        for x in x.chunks(self.inputs()) {
            for (row, bias) in self.weight.chunks(self.inputs()).zip(self.bias) {
                y.push(bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>());
            }
        }
        y
    }

    /// The gradient of x; those of weight and bias go to `gradients`.
    pub(super) fn backward(&self, x: &[f64], dy: &[f64], gradients: &mut Parameters) -> Vec<f64> {
        let inputs = self.inputs();
        let mut dx = vec![0.0; x.len()];
        let (mut dweight, mut dbias) = (vec![0.0; self.weight.len()], vec![0.0; self.bias.len()]);
        for (sample, dy) in dy.chunks(self.outputs()).enumerate() {
            for (row, dy) in dy.iter().enumerate() {
                dbias[row] += dy;
                for column in 0..inputs {
                    dweight[row * inputs + column] += dy * x[sample * inputs + column];
                    dx[sample * inputs + column] += dy * self.weight[row * inputs + column];
                }
            }
        }
        gradients.set(format!("{}_weight", self.name), dweight);
        gradients.set(format!("{}_bias", self.name), dbias);
        dx
    }
}

/// Batch norm, as PyTorch's `BatchNorm2d`: z = weight (x - mean) / sqrt(var + eps) + bias, per channel.
///
/// In evaluation mean and var are the running statistics. In training they are the batch's, var with the
/// divisor M, for M values per channel; the gradients then include those of mean and var, and the running
/// statistics become (1 - momentum) running + momentum batch, with var's divisor M - 1.
///
/// Ioffe and Szegedy 2015, arXiv:1502.03167.
///
/// ```
/// use nonlin::layers::BatchNorm;
///
/// let training = BatchNorm { training: true, ..BatchNorm::default() };
/// assert_eq!((training.eps, training.momentum), (1e-5, 0.1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance; 1e-5 by default.
    pub eps: f64,
    /// How much of the new statistics goes into the running ones; 0.1 by default.
    pub momentum: f64,
    /// Whether the batch's statistics are used, and the running ones renewed; by default not.
    pub training: bool,
}

impl Default for BatchNorm {
    fn default() -> Self {
        BatchNorm {
            eps: 1e-5,
            momentum: 0.1,
            training: false,
        }
    }
}

/// The names of a batch norm's parameters.
struct Names {
    weight: String,
    bias: String,
    running_mean: String,
    running_var: String,
}

impl Names {
    /// `mark` tells the norms of a layer with two of them apart.
    fn new(mark: &str) -> Self {
        Names {
            weight: format!("bn{mark}_weight"),
            bias: format!("bn{mark}_bias"),
            running_mean: format!("running_mean{mark}"),
            running_var: format!("running_var{mark}"),
        }
    }
}

/// A batch norm's forward pass.
pub(super) struct Normalized {
    pub(super) y: Vec<f64>,
    /// (x - mean) / sqrt(var + eps)
    hat: Vec<f64>,
    /// sqrt(var + eps), per channel.
    deviation: Vec<f64>,
}

impl BatchNorm {
    pub(super) fn check(&self, layer: &'static str) -> Result<(), Error> {
        if !(self.eps >= 0.0 && self.eps.is_finite()) {
            let needs = "finite and not negative";
            return Err(bad_setting(layer, "eps", needs, self.eps));
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(bad_setting(layer, "momentum", "from 0 to 1", self.momentum));
        }
        Ok(())
    }

    pub(super) fn parameters(mark: &str, channels: u64) -> [Parameter; 4] {
        let names = Names::new(mark);
        [
            Parameter::learned(names.weight, &[channels]),
            Parameter::learned(names.bias, &[channels]),
            Parameter::statistic(names.running_mean, &[channels]),
            Parameter::statistic(names.running_var, &[channels]),
        ]
    }

    /// New running statistics go to `running`.
    pub(super) fn forward(
        &self,
        mark: &str,
        input: &Input<'_>,
        shape: Shape,
        x: &[f64],
        running: &mut Parameters,
    ) -> Result<Normalized, Error> {
        let names = Names::new(mark);
        let (weight, bias) = (input.parameter(&names.weight), input.parameter(&names.bias));
        let mut mean = input.parameter(&names.running_mean).to_vec();
        let mut var = input.parameter(&names.running_var).to_vec();
        if self.training {
            let count = values_per_channel(shape);
            if count == 1.0 {
                return Err(too_few(input.images));
            }
            let (old_mean, old_var) = (mean, var);
            mean = per_channel(shape, |_, i| x[i] / count);
            var = per_channel(shape, |c, i| (x[i] - mean[c]).powi(2) / count);
            let blend = |old: &[f64], new: &[f64], factor: f64| -> Vec<f64> {
                let pairs = old.iter().zip(new);
                pairs
                    .map(|(old, new)| (1.0 - self.momentum) * old + self.momentum * factor * new)
                    .collect()
            };
            running.set(names.running_mean, blend(&old_mean, &mean, 1.0));
            let unbiased = count / (count - 1.0);
            running.set(names.running_var, blend(&old_var, &var, unbiased));
        }
        let deviation: Vec<f64> = var.iter().map(|var| (var + self.eps).sqrt()).collect();
        let (mut hat, mut y) = (x.to_vec(), x.to_vec());
        for (n, c) in shape.planes() {
            for i in shape.plane(n, c) {
                hat[i] = (x[i] - mean[c]) / deviation[c];
                y[i] = weight[c] * hat[i] + bias[c];
            }
        }
        Ok(Normalized { y, hat, deviation })
    }

    /// The gradient of x; those of weight and bias go to `gradients`.
    pub(super) fn backward(
        &self,
        mark: &str,
        input: &Input<'_>,
        shape: Shape,
        forward: &Normalized,
        dy: &[f64],
        gradients: &mut Parameters,
    ) -> Vec<f64> {
        let names = Names::new(mark);
        let weight = input.parameter(&names.weight);
        let count = values_per_channel(shape);
        let hat = &forward.hat;
        let dbias = per_channel(shape, |_, i| dy[i]);
        let dweight = per_channel(shape, |_, i| dy[i] * hat[i]);
        let mut dx = dy.to_vec();
        for (n, c) in shape.planes() {
            for i in shape.plane(n, c) {
                if self.training {
                    // By way of the batch's mean, and of its variance.
                    dx[i] -= (dbias[c] + hat[i] * dweight[c]) / count;
                }
                dx[i] *= weight[c] / forward.deviation[c];
            }
        }
        gradients.set(names.weight, dweight);
        gradients.set(names.bias, dbias);
        dx
    }
}

fn values_per_channel(shape: Shape) -> f64 {
    (shape.samples * shape.places()) as f64
}

/// The sum of `value(channel, element)` over each channel's elements.
pub(super) fn per_channel(shape: Shape, value: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; shape.channels];
    for (n, c) in shape.planes() {
        sums[c] += shape.plane(n, c).map(|i| value(c, i)).sum::<f64>();
    }
    sums
}

pub(super) fn too_few(images: &Images) -> Error {
    images.bad("a batch norm in training needs more than one value per channel")
}
