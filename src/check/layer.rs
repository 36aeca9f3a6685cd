//! The checker of layers: is each tensor of a pass within the error allowed to it?
//!
//! Layers have no enclosures, since sums over images, norms and softmax mix all elements: what is allowed is told for a
//! tensor, and each of its elements is compared by itself. Allowed are, added up:
//!
//! - [`ROUNDINGS`] roundings of f32 of the tensor's largest magnitude; where that is more, of a parameter's gradient,
//!   [`SUMMED`] roundings times the square root of the number of its terms, since terms of either sign are about so many
//!   times their sum;
//! - where a batch norm trains, as much again of what the tensor is with the batch's statistics held constant: what flows
//!   back through statistics takes from a gradient most of what it is without, and at times all;
//! - [`NUDGES`] times what the reference itself moves where all inputs are off by half a last digit or a whole one: where
//!   terms cancel, no computation in f32 can be nearer;
//! - half a last digit of the largest magnitude in the dtype, for what is stored in 16 bits.
//!
//! Where two branches of a maximum are as good as equal, a kernel may rightly take the other one, and x's gradient
//! there is another. If it is the reference itself that turns, what is allowed becomes as large as the tensor: such a
//! comparison says nothing, and neither does one of zeros; they are [no pass](LayerReport::passes).

use crate::error::{Error, LayerError};
use crate::layers::{Images, Layer, Parameters};
use crate::pass::Pass;
use crate::tensor::dtype::{DType, Element};

/// Roundings of f32 allowed to every tensor, in units of its largest magnitude.
pub const ROUNDINGS: f64 = 32.0;

/// Roundings of f32 allowed to a sum, in units of its largest magnitude times the square root of its terms' number.
pub const SUMMED: f64 = 2.0;

/// How many times what the reference moves with its inputs is allowed.
pub const NUDGES: f64 = 32.0;

/// The share of a tensor's magnitude from which on an allowed error says nothing.
const BLUNT: f64 = 0.25;

/// A rounding of f32: half a last digit.
const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// What both passes of a layer should give: evaluated once, to compare several results with.
///
/// ```
/// use nonlin::check::ExpectedLayer;
/// use nonlin::layers::{Frelu, Images, Layer, Parameters};
///
/// let layer = Layer::from(Frelu { norm: None, ..Frelu::default() });
/// let (images, parameters) = (Images::nchw(1, 1, 1, 2), Parameters::new().with("weight", &[0.5f32; 9]));
/// let expected = ExpectedLayer::new(&layer, &images, &parameters, &[1.0f32, -2.0], &[1.0f32, 1.0])?;
/// let reports = expected.forward(&[1.0f32, -0.5], &Parameters::new())?;
/// assert!(reports[0].passes());
/// assert!(!expected.forward(&[1.0f32, -0.5001], &Parameters::new())?[0].passes());
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExpectedLayer {
    layer: &'static str,
    tensors: Vec<Tensor>,
}

/// A tensor of a pass.
#[derive(Clone, Debug)]
struct Tensor {
    pass: Pass,
    name: String,
    want: Vec<f64>,
    /// What is allowed of each element, beside the rounding to a dtype of 16 bits.
    allowed: f64,
    /// What the tensor is measured by: its largest magnitude, or that with constant statistics.
    magnitude: f64,
    /// An error that is small by any measure: as many roundings of x's or dy's largest magnitude.
    small: f64,
}

/// What the comparison of a tensor found.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerReport {
    /// The pass that makes the tensor.
    pub pass: Pass,
    /// The tensor: y, or dx; a running statistic's name, renewed by forward; a parameter's name, whose gradient
    /// backward writes.
    pub name: String,
    /// Elements compared.
    pub compared: usize,
    /// Elements whose error is not allowed.
    pub failed: usize,
    /// The error allowed to each element, in the tensor's own unit.
    pub allowed: f64,
    /// What the tensor is measured by: its largest magnitude in the reference; where a batch norm trains, that with
    /// constant statistics, if it is larger.
    pub magnitude: f64,
    /// Whether the comparison says nothing: the reference is zero everywhere, as what no kernel wrote may be; or so
    /// much is allowed, more than a quarter of the magnitude and more than [`ROUNDINGS`] roundings of x (forward) or dy
    /// (backward), beside which a tensor may be zero but for rounding.
    pub blunt: bool,
    /// The element furthest off; none where all are exact.
    pub worst: Option<LayerFinding>,
}

/// One element of a tensor, and what was found there.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerFinding {
    /// Its index.
    pub index: usize,
    /// The result under test.
    pub got: f64,
    /// The reference.
    pub want: f64,
    /// How far they are apart; NaN where one of them is NaN.
    pub off: f64,
}

impl LayerReport {
    /// Whether something was compared, every element passes, and the comparison is not [blunt](Self::blunt).
    pub fn passes(&self) -> bool {
        self.compared > 0 && self.failed == 0 && !self.blunt
    }
}

impl std::fmt::Display for LayerReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LayerReport {
            pass,
            name,
            compared,
            failed,
            allowed,
            magnitude,
            blunt,
            worst,
        } = self;
        write!(f, "{pass} {name}: ")?;
        if *magnitude == 0.0 {
            write!(
                f,
                "nothing is compared, since the reference is zero everywhere; "
            )?;
        } else if *blunt {
            write!(
                f,
                "nothing is compared, since {allowed:e} would be allowed of at most {magnitude:e}; "
            )?;
        }
        write!(f, "{failed} of {compared} elements fail")?;
        if let Some(LayerFinding {
            index,
            got,
            want,
            off,
        }) = worst
        {
            write!(
                f,
                "; worst: [{index}]: got {got:e}, want {want:e}; {off:e} off, allowed {allowed:e}"
            )?;
        }
        Ok(())
    }
}

impl ExpectedLayer {
    /// What both passes should give for x and dy, in the images' order.
    ///
    /// # Errors
    /// Those of [`Layer::forward`].
    pub fn new<X: Element, G: Element>(
        layer: &Layer,
        images: &Images,
        parameters: &Parameters,
        x: &[X],
        dy: &[G],
    ) -> Result<Self, Error> {
        let inputs = Inputs {
            images,
            parameters: parameters.clone(),
            x: x.iter().map(|x| x.to_f32()).collect(),
            dy: dy.iter().map(|dy| dy.to_f32()).collect(),
        };
        let mut tensors = Vec::new();
        for (pass, name, want) in inputs.results(layer)? {
            let magnitude = largest(&want);
            let measured = if pass == Pass::Forward {
                &inputs.x
            } else {
                &inputs.dy
            };
            let small = measured.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            tensors.push(Tensor {
                small: ROUNDING * ROUNDINGS * f64::from(small),
                allowed: unit(images, pass, &name) * magnitude,
                magnitude,
                pass,
                name,
                want,
            });
        }
        if let Some((constant, inputs)) = inputs.with_constant_statistics(layer)? {
            for (pass, name, values) in inputs.results(&constant)? {
                if let Some(tensor) = find(&mut tensors, pass, &name) {
                    let magnitude = largest(&values);
                    tensor.allowed += unit(images, pass, &name) * magnitude;
                    tensor.magnitude = tensor.magnitude.max(magnitude);
                }
            }
        }
        for seed in 0..2 {
            for (pass, name, values) in inputs.nudged(seed).results(layer)? {
                if let Some(tensor) = find(&mut tensors, pass, &name) {
                    let moved = values.iter().zip(&tensor.want).map(|(a, b)| (a - b).abs());
                    tensor.allowed += NUDGES / 2.0 * moved.fold(0.0, f64::max);
                }
            }
        }
        Ok(ExpectedLayer {
            layer: layer.name(),
            tensors,
        })
    }

    /// The same with a tensor from elsewhere in the place of the reference's, such as what another framework computes;
    /// what is allowed stays. Names are those of [`LayerReport::name`].
    ///
    /// # Errors
    /// [`LayerError::UnknownTensor`], and [`LayerError::BadTensor`] for another length.
    pub fn instead(mut self, pass: Pass, name: &str, want: Vec<f64>) -> Result<Self, Error> {
        let layer = self.layer;
        let known = names(&self.tensors, pass);
        let tensor = find(&mut self.tensors, pass, name);
        let tensor = tensor.ok_or_else(|| unknown(layer, name, known))?;
        tensor.has_length(want.len())?;
        tensor.want = want;
        Ok(self)
    }

    /// Compares what the forward pass computed: y, and the running statistics where a batch norm trains them. A report
    /// for each, y's first.
    ///
    /// # Errors
    /// [`LayerError::BadTensor`] for a wrong length, [`LayerError::MissingTensor`] and [`LayerError::UnknownTensor`].
    pub fn forward<T: Element>(
        &self,
        y: &[T],
        running: &Parameters,
    ) -> Result<Vec<LayerReport>, Error> {
        self.compare(Pass::Forward, "y", y, running)
    }

    /// Compares what the backward pass computed: dx, and the gradients of the learned parameters. A report for each,
    /// dx's first.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward).
    pub fn backward<T: Element>(
        &self,
        dx: &[T],
        gradients: &Parameters,
    ) -> Result<Vec<LayerReport>, Error> {
        self.compare(Pass::Backward, "dx", dx, gradients)
    }

    fn compare<T: Element>(
        &self,
        pass: Pass,
        first: &str,
        images: &[T],
        others: &Parameters,
    ) -> Result<Vec<LayerReport>, Error> {
        let is_known = |name: &str| names(&self.tensors, pass).iter().any(|known| known == name);
        if let Some((name, _)) = others
            .iter()
            .find(|(name, _)| *name == first || !is_known(name))
        {
            return Err(unknown(self.layer, name, names(&self.tensors, pass)));
        }
        let mut reports = Vec::new();
        for tensor in self.tensors.iter().filter(|tensor| tensor.pass == pass) {
            if tensor.name == first {
                let got = images.iter().map(|v| f64::from(v.to_f32()));
                reports.push(tensor.compare(T::DTYPE, got)?);
                continue;
            }
            let got = others.get(&tensor.name);
            let got = got.ok_or_else(|| {
                Error::Layer(LayerError::MissingTensor {
                    layer: self.layer,
                    name: tensor.name.clone(),
                    shape: vec![tensor.want.len() as u64],
                })
            })?;
            reports.push(tensor.compare(DType::F32, got.iter().copied())?);
        }
        Ok(reports)
    }
}

fn find<'a>(tensors: &'a mut [Tensor], pass: Pass, name: &str) -> Option<&'a mut Tensor> {
    let mut tensors = tensors.iter_mut();
    tensors.find(|tensor| tensor.pass == pass && tensor.name == name)
}

fn names(tensors: &[Tensor], pass: Pass) -> Vec<String> {
    let tensors = tensors.iter().filter(|tensor| tensor.pass == pass);
    tensors.map(|tensor| tensor.name.clone()).collect()
}

fn unknown(layer: &'static str, name: &str, known: Vec<String>) -> Error {
    Error::Layer(LayerError::UnknownTensor {
        layer,
        name: name.to_owned(),
        known,
    })
}

impl Tensor {
    fn has_length(&self, len: usize) -> Result<(), Error> {
        crate::layers::has_shape(&self.name, &[self.want.len() as u64], len)
    }

    fn compare(
        &self,
        dtype: DType,
        got: impl ExactSizeIterator<Item = f64>,
    ) -> Result<LayerReport, Error> {
        self.has_length(got.len())?;
        let stored = match dtype {
            DType::F16 => 2f64.powi(-11),
            DType::BF16 => 2f64.powi(-8),
            _ => 0.0,
        };
        let allowed = self.allowed + stored * largest(&self.want);
        // Of a reference without bounds no error can be told: then only what is equal passes.
        let allowed = if allowed.is_finite() { allowed } else { 0.0 };
        let mut report = LayerReport {
            pass: self.pass,
            name: self.name.clone(),
            compared: self.want.len(),
            failed: 0,
            allowed,
            magnitude: self.magnitude,
            blunt: self.magnitude == 0.0 || allowed > (BLUNT * self.magnitude).max(self.small),
            worst: None,
        };
        for (index, (got, want)) in got.zip(self.want.iter().copied()).enumerate() {
            if got == want || (got.is_nan() && want.is_nan()) {
                continue;
            }
            let off = (got - want).abs();
            report.failed += usize::from(off.is_nan() || off > allowed);
            let worst = report.worst.as_ref().map_or(0.0, |worst| worst.off);
            // A NaN is the worst of all, and stays.
            if !worst.is_nan() && (off.is_nan() || off > worst) {
                report.worst = Some(LayerFinding {
                    index,
                    got,
                    want,
                    off,
                });
            }
        }
        Ok(report)
    }
}

/// What is allowed of a tensor, in units of its largest magnitude.
fn unit(images: &Images, pass: Pass, name: &str) -> f64 {
    let terms = (images.samples * images.height * images.width) as f64;
    match pass {
        Pass::Backward if name != "dx" => ROUNDING * ROUNDINGS.max(SUMMED * terms.sqrt()),
        _ => ROUNDING * ROUNDINGS,
    }
}

fn largest(values: &[f64]) -> f64 {
    let largest = |largest: f64, value: &f64| largest.max(value.abs());
    values.iter().fold(0.0, largest)
}

/// What a layer works on.
struct Inputs<'a> {
    images: &'a Images,
    parameters: Parameters,
    x: Vec<f32>,
    dy: Vec<f32>,
}

impl<'a> Inputs<'a> {
    /// The reference's tensors.
    fn results(&self, layer: &Layer) -> Result<Vec<(Pass, String, Vec<f64>)>, Error> {
        let outputs = layer.forward(self.images, &self.parameters, &self.x)?;
        let gradients = layer.backward(self.images, &self.parameters, &self.x, &self.dy)?;
        let mut all = vec![(Pass::Forward, "y".to_owned(), outputs.y)];
        let running = outputs.running.into_iter();
        all.extend(running.map(|(name, values)| (Pass::Forward, name, values)));
        all.push((Pass::Backward, "dx".to_owned(), gradients.dx));
        let parameters = gradients.parameters.into_iter();
        all.extend(parameters.map(|(name, values)| (Pass::Backward, name, values)));
        Ok(all)
    }

    /// The same with the batch's statistics as constants, where a norm trains.
    fn with_constant_statistics(&self, layer: &Layer) -> Result<Option<(Layer, Self)>, Error> {
        let Some(mut norm) = layer.norm().filter(|norm| norm.training) else {
            return Ok(None);
        };
        norm.momentum = 1.0;
        let training = layer.with_norm(norm);
        let mut parameters = self.parameters.clone();
        let outputs = training.forward(self.images, &parameters, &self.x)?;
        parameters.extend(outputs.running);
        norm.training = false;
        let inputs = Inputs {
            images: self.images,
            parameters,
            x: self.x.clone(),
            dy: self.dy.clone(),
        };
        Ok(Some((layer.with_norm(norm), inputs)))
    }

    /// The same with every number off a little, up or down: x and dy by a last digit, parameters by half of one.
    fn nudged(&self, seed: u64) -> Self {
        let mut signs = Signs(seed);
        let mut nudged = |values: &[f32]| -> Vec<f32> {
            let nudge = |value: &f32| match *value {
                value if value == 0.0 || !value.is_finite() => value,
                value => f32::from_bits(match signs.up() {
                    true => value.to_bits() + 1,
                    false => value.to_bits() - 1,
                }),
            };
            values.iter().map(nudge).collect()
        };
        let (x, dy) = (nudged(&self.x), nudged(&self.dy));
        let mut off = |value: &f64| match signs.up() {
            true => value * (1.0 + ROUNDING),
            false => value * (1.0 - ROUNDING),
        };
        let tensors = self.parameters.iter();
        let tensors = tensors.map(|(name, values)| {
            let values: Vec<f64> = values.iter().map(&mut off).collect();
            (name.to_owned(), values)
        });
        Inputs {
            images: self.images,
            parameters: tensors.collect(),
            x,
            dy,
        }
    }
}

/// Signs that look random and are the same each time (Steele, Lea and Flood's SplitMix64).
struct Signs(u64);

impl Signs {
    fn up(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests;
