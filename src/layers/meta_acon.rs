//! Meta-ACON.

use super::parts::{Dense, Normalized, means, means_backward, per_channel, sigmoid, sigmoid_slope};
use super::{
    BatchNorm, Gradients, Images, Input, Outputs, Parameter, Parameters, Shape, bad_setting,
};
use crate::error::Error;

/// Meta-ACON: ACON-C, y = (p1 - p2) x sigmoid(beta (p1 - p2) x) + p2 x, with p1 and p2 per channel and a beta
/// for each sample and channel that two small layers make from the image.
///
/// beta = sigmoid(fc2(fc1(m))), with m\[n, c\] the mean of x over h and w. Behind each of the two layers stands a batch
/// norm or nothing. They are what PyTorch code writes as `Linear`, or as `Conv2d` with a kernel of 1. fc1 has
/// max(minimum, C / reduction) outputs, the quotient rounded down, as in the authors' code.
///
/// With d = p1 - p2, z = beta d x, s = sigmoid(z) and h = s + z s (1 - s), the slope in x is d h + p2, that in
/// p1 x h, that in p2 x (1 - h), that in beta (d x)² s (1 - s); beta's way back to x goes over m. There are no
/// ties.
///
/// Parameters: `p1`, `p2` \[C\]; `fc1_weight` \[hidden, C\], `fc1_bias` \[hidden\]; `fc2_weight` \[C, hidden\],
/// `fc2_bias` \[C\]. With norms, `bn1_weight`, `bn1_bias`, `running_mean1`, `running_var1` \[hidden\], and
/// `bn2_weight`, `bn2_bias`, `running_mean2`, `running_var2` \[C\]. (Convolutions' weights
/// \[hidden, C, 1, 1\] have the same elements, and so have p1 and p2 of shape \[1, C, 1, 1\].)
///
/// Ma, Zhang, Liu and Sun 2021, Activate or Not: Learning Customized Activation, arXiv:2009.04759.
///
/// ```
/// use nonlin::layers::{Images, Layer, MetaAcon, Parameters};
///
/// // With all of fc2 zero, beta is 1/2.
/// let layer = Layer::from(MetaAcon { minimum: 1, ..MetaAcon::default() });
/// let parameters = Parameters::new()
///     .with("p1", &[1.0])
///     .with("p2", &[0.0])
///     .with("fc1_weight", &[1.0])
///     .with("fc1_bias", &[0.0])
///     .with("fc2_weight", &[0.0])
///     .with("fc2_bias", &[0.0]);
/// let y = layer.forward(&Images::nchw(1, 1, 1, 1), &parameters, &[2.0f32])?.y;
/// assert!((y[0] - 2.0 / (1.0 + (-1.0f64).exp())).abs() < 1e-15);
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetaAcon {
    /// By what the channels are divided for the first layer's outputs; 16 by default.
    pub reduction: u64,
    /// How many outputs the first layer has at least; 16 by default.
    pub minimum: u64,
    /// The batch norms behind the two layers; by default there are none.
    pub norm: Option<BatchNorm>,
}

impl Default for MetaAcon {
    fn default() -> Self {
        MetaAcon {
            reduction: 16,
            minimum: 16,
            norm: None,
        }
    }
}

/// What of the forward pass the backward pass takes.
struct Betas<'a> {
    layers: [Dense<'a>; 2],
    means: Vec<f64>,
    /// The first layer's values, behind its norm.
    hidden: Vec<f64>,
    /// The second layer's values, behind its norm: beta is their sigmoid.
    q: Vec<f64>,
    norms: Option<[Normalized; 2]>,
    running: Parameters,
}

impl MetaAcon {
    fn betas<'a>(&self, input: &Input<'a>) -> Result<Betas<'a>, Error> {
        let layers = ["fc1", "fc2"].map(|name| Dense::new(input, name));
        let means = means(input.shape, &input.x);
        let mut running = Parameters::new();
        let mut hidden = layers[0].forward(&means);
        let (q, norms) = match &self.norm {
            None => (layers[1].forward(&hidden), None),
            Some(norm) => {
                let [inner, outer] = flat(input, &layers);
                let first = norm.forward("1", input, inner, &hidden, &mut running)?;
                hidden.copy_from_slice(&first.y);
                let q = layers[1].forward(&hidden);
                let second = norm.forward("2", input, outer, &q, &mut running)?;
                (second.y.clone(), Some([first, second]))
            }
        };
        Ok(Betas {
            layers,
            means,
            hidden,
            q,
            norms,
            running,
        })
    }
}

/// The shapes of the two layers' values.
fn flat(input: &Input<'_>, layers: &[Dense<'_>; 2]) -> [Shape; 2] {
    [0, 1].map(|i| Shape::flat(input.shape.samples, layers[i].outputs()))
}

impl MetaAcon {
    pub(super) fn name(&self) -> &'static str {
        "meta_acon"
    }

    /// Values between the two small layers.
    pub(super) fn hidden(&self, channels: u64) -> u64 {
        self.minimum.max(channels / self.reduction)
    }

    pub(super) fn parameters(&self, images: &Images) -> Result<Vec<Parameter>, Error> {
        images.elements()?;
        for (setting, value) in [("reduction", self.reduction), ("minimum", self.minimum)] {
            if value == 0 {
                return Err(bad_setting(self.name(), setting, "at least 1", value));
            }
        }
        let channels = images.channels;
        let hidden = self.hidden(channels);
        let mut parameters = ["p1", "p2"]
            .map(|name| Parameter::learned(name, &[channels]))
            .to_vec();
        parameters.extend(Dense::parameters("fc1", channels, hidden));
        parameters.extend(Dense::parameters("fc2", hidden, channels));
        if let Some(norm) = &self.norm {
            norm.check(self.name())?;
            parameters.extend(BatchNorm::parameters("1", hidden));
            parameters.extend(BatchNorm::parameters("2", channels));
        }
        Ok(parameters)
    }

    pub(super) fn forward(&self, input: &Input<'_>) -> Result<Outputs, Error> {
        let betas = self.betas(input)?;
        let (p1, p2) = (input.parameter("p1"), input.parameter("p2"));
        let mut y = input.x.clone();
        for ((n, c), q) in input.shape.planes().zip(&betas.q) {
            let (d, beta) = (p1[c] - p2[c], sigmoid(*q));
            for y in &mut y[input.shape.plane(n, c)] {
                let z = beta * d * *y;
                // d x s + p2 x, with 1 - s = sigmoid(-z) in place of the difference.
                *y *= p1[c] * sigmoid(z) + p2[c] * sigmoid(-z);
            }
        }
        Ok(Outputs {
            y: input.stored(&y),
            running: betas.running,
        })
    }

    pub(super) fn backward(&self, input: &Input<'_>, dy: &[f64]) -> Result<Gradients, Error> {
        let betas = self.betas(input)?;
        let shape = input.shape;
        let (p1, p2) = (input.parameter("p1"), input.parameter("p2"));
        let mut dx = dy.to_vec();
        // Each element's share of the gradients of p1 and p2.
        let (mut to_p1, mut to_p2) = (dy.to_vec(), dy.to_vec());
        let mut dq = Vec::new();
        for ((n, c), q) in shape.planes().zip(&betas.q) {
            let (d, beta) = (p1[c] - p2[c], sigmoid(*q));
            let mut dbeta = 0.0;
            for i in shape.plane(n, c) {
                let (x, dy) = (input.x[i], dy[i]);
                let z = beta * d * x;
                let bend = z * sigmoid_slope(z);
                dx[i] = dy * (p1[c] * sigmoid(z) + p2[c] * sigmoid(-z) + d * bend);
                to_p1[i] = dy * x * (sigmoid(z) + bend);
                to_p2[i] = dy * x * (sigmoid(-z) - bend);
                dbeta += dy * (d * x).powi(2) * sigmoid_slope(z);
            }
            dq.push(dbeta * sigmoid_slope(*q));
        }
        let mut gradients = Parameters::new();
        gradients.set("p1", per_channel(shape, |_, i| to_p1[i]));
        gradients.set("p2", per_channel(shape, |_, i| to_p2[i]));

        let [inner, outer] = flat(input, &betas.layers);
        let [fc1, fc2] = &betas.layers;
        if let (Some(norm), Some([_, second])) = (&self.norm, &betas.norms) {
            dq = norm.backward("2", input, outer, second, &dq, &mut gradients);
        }
        let mut dhidden = fc2.backward(&betas.hidden, &dq, &mut gradients);
        if let (Some(norm), Some([first, _])) = (&self.norm, &betas.norms) {
            dhidden = norm.backward("1", input, inner, first, &dhidden, &mut gradients);
        }
        let dmeans = fc1.backward(&betas.means, &dhidden, &mut gradients);
        means_backward(shape, &dmeans, &mut dx);
        Ok(Gradients {
            dx: input.stored(&dx),
            parameters: gradients,
        })
    }
}
