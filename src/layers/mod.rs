//! Layers: activations that have parameters of their own and look at more of x than one element. Here they
//! are in f64 on the CPU, forward and backward with every gradient, as [`reference`](mod@crate::reference)
//! is for chains. [`Kernels::layer`](crate::Kernels::layer) and
//! [`Gpu::layer_forward`](crate::Gpu::layer_forward) compute the same on the GPU.
//!
//! - [`Frelu`]: the larger of x and a window's weighted sum around it.
//! - [`MetaAcon`]: ACON-C, whose beta two small layers make from the image's means.
//! - [`DynamicRelu`]: the largest of K straight lines, whose coefficients two small layers make from them.
//!
//! Each is a struct of settings; a [`Layer`] is one of them, and has a form as text. [`Images`] say how x lies in
//! memory, [`Parameters`] hold tensors by name, and [`Layer::parameters`] tells which of them a layer needs.
//!
//! ```
//! use nonlin::layers::{Frelu, Images, Layer, Parameters};
//!
//! let layer = Layer::from(Frelu { kernel: (1, 3), norm: None, ..Frelu::default() });
//! let images = Images::nchw(1, 1, 1, 3);
//! assert_eq!(layer.parameters(&images)?[0].shape, [1, 1, 1, 3]);
//!
//! let parameters = Parameters::new().with("weight", &[1.0, 0.0, 0.0]); // looks at the left neighbour
//! let outputs = layer.forward(&images, &parameters, &[3.0f32, 1.0, 2.0])?;
//! assert_eq!(outputs.y, [3.0, 3.0, 2.0]);
//! let gradients = layer.backward(&images, &parameters, &[3.0f32, 1.0, 2.0], &[1.0f32; 3])?;
//! assert_eq!(gradients.dx, [2.0, 0.0, 1.0]);
//! assert_eq!(gradients.parameters.get("weight"), Some(&[3.0, 1.0, 2.0][..]));
//! # Ok::<(), nonlin::Error>(())
//! ```

mod dynamic_relu;
mod frelu;
pub(crate) mod gpu;
mod layer;
mod meta_acon;
mod parts;
mod settings;

pub use dynamic_relu::{DynamicRelu, Variant};
pub use frelu::Frelu;
pub use layer::Layer;
pub use meta_acon::MetaAcon;
pub use parts::BatchNorm;
pub use settings::Setting;

use crate::error::{Error, LayerError, named};
use crate::tensor::dtype::Element;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// In which order the elements of images lie in memory; the last letter's lie beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Samples, channels, rows, columns: PyTorch's contiguous tensors.
    #[default]
    Nchw,
    /// Samples, rows, columns, channels: PyTorch's `channels_last`.
    Nhwc,
}

impl Order {
    /// Every order.
    pub const ALL: [Order; 2] = [Order::Nchw, Order::Nhwc];
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Order::Nchw => "nchw",
            Order::Nhwc => "nhwc",
        })
    }
}

impl FromStr for Order {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        named("order", &Self::ALL, text)
    }
}

/// The shape of x, y and their gradients, and how they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Images {
    /// How many images.
    pub samples: u64,
    /// Values at each place.
    pub channels: u64,
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
    /// The order in memory.
    pub order: Order,
}

impl Images {
    /// Images in the order [`Order::Nchw`].
    pub const fn nchw(samples: u64, channels: u64, height: u64, width: u64) -> Self {
        Images {
            samples,
            channels,
            height,
            width,
            order: Order::Nchw,
        }
    }

    /// Images in the order [`Order::Nhwc`].
    pub const fn nhwc(samples: u64, height: u64, width: u64, channels: u64) -> Self {
        Images {
            samples,
            channels,
            height,
            width,
            order: Order::Nhwc,
        }
    }

    /// The lengths of the axes, in the order in memory.
    pub const fn shape(&self) -> [u64; 4] {
        let Images {
            samples,
            channels,
            height,
            width,
            order,
        } = *self;
        match order {
            Order::Nchw => [samples, channels, height, width],
            Order::Nhwc => [samples, height, width, channels],
        }
    }

    /// How many elements there are.
    ///
    /// # Errors
    /// [`LayerError::BadImages`] where there are none, or more than can be counted.
    pub fn elements(&self) -> Result<u64, Error> {
        if self.shape().contains(&0) {
            return Err(self.bad("each length must be at least 1"));
        }
        let elements = product(&self.shape()).filter(|count| usize::try_from(*count).is_ok());
        elements.ok_or_else(|| self.bad("there are more elements than can be counted"))
    }

    fn bad(&self, problem: &'static str) -> Error {
        Error::Layer(LayerError::BadImages {
            samples: self.samples,
            channels: self.channels,
            height: self.height,
            width: self.width,
            problem,
        })
    }
}

/// One of a layer's parameters, as [`Layer::parameters`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// The shape, as PyTorch writes it.
    pub shape: Vec<u64>,
    /// Whether it has a gradient. Running statistics have none.
    pub learned: bool,
}

impl Parameter {
    fn learned(name: impl Into<String>, shape: &[u64]) -> Self {
        Parameter {
            name: name.into(),
            shape: shape.to_vec(),
            learned: true,
        }
    }

    fn statistic(name: impl Into<String>, shape: &[u64]) -> Self {
        Parameter {
            learned: false,
            ..Self::learned(name, shape)
        }
    }

    /// How many elements it has; none where they are more than u64 counts.
    pub fn elements(&self) -> Option<u64> {
        product(&self.shape)
    }
}

/// Tensors by name: a layer's parameters, or their gradients. Shapes are known to the layer; here are the
/// elements alone, the last axis's beside each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, Vec<f64>>);

impl Parameters {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more tensor, of f32, f64, [`half::f16`] or [`half::bf16`]; it replaces one of its name.
    #[must_use]
    pub fn with<T: Copy + Into<f64>>(mut self, name: &str, values: &[T]) -> Self {
        let values = values.iter().map(|value| (*value).into()).collect();
        self.0.insert(name.to_owned(), values);
        self
    }

    /// A tensor's elements.
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// A tensor's elements, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut [f64]> {
        self.0.get_mut(name).map(Vec::as_mut_slice)
    }

    /// Without a tensor, which is handed back.
    pub fn remove(&mut self, name: &str) -> Option<Vec<f64>> {
        self.0.remove(name)
    }

    /// The tensors, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.0
            .iter()
            .map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, values: Vec<f64>) {
        self.0.insert(name.into(), values);
    }
}

impl FromIterator<(String, Vec<f64>)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, Vec<f64>)>>(tensors: I) -> Self {
        Parameters(tensors.into_iter().collect())
    }
}

impl IntoIterator for Parameters {
    type Item = (String, Vec<f64>);
    type IntoIter = std::collections::btree_map::IntoIter<String, Vec<f64>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Tensors replace those of their names, as new running statistics do.
impl Extend<(String, Vec<f64>)> for Parameters {
    fn extend<I: IntoIterator<Item = (String, Vec<f64>)>>(&mut self, tensors: I) {
        self.0.extend(tensors);
    }
}

/// What a forward pass gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// The layer's values, in x's order.
    pub y: Vec<f64>,
    /// The running statistics as they are after a step of training, under their names; empty without a
    /// batch norm that trains.
    pub running: Parameters,
}

/// What a backward pass gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// The gradient of x, in x's order.
    pub dx: Vec<f64>,
    /// The gradient of each learned parameter, under its name.
    pub parameters: Parameters,
}

/// Lengths in memory. Work is done in NCHW, whatever the images' order.
#[derive(Clone, Copy)]
struct Shape {
    samples: usize,
    channels: usize,
    height: usize,
    width: usize,
}

impl Shape {
    /// Of values per sample and channel.
    fn flat(samples: usize, channels: usize) -> Self {
        Shape {
            samples,
            channels,
            height: 1,
            width: 1,
        }
    }

    /// Places in an image.
    fn places(&self) -> usize {
        self.height * self.width
    }

    fn elements(&self) -> usize {
        self.samples * self.channels * self.places()
    }

    /// Where one channel of one sample lies.
    fn plane(&self, sample: usize, channel: usize) -> Range<usize> {
        let start = (sample * self.channels + channel) * self.places();
        start..start + self.places()
    }

    /// Each sample with each of its channels.
    fn planes(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.samples).flat_map(move |sample| (0..self.channels).map(move |c| (sample, c)))
    }
}

/// What a layer works on, checked.
struct Input<'a> {
    images: &'a Images,
    shape: Shape,
    parameters: &'a Parameters,
    /// In NCHW.
    x: Vec<f64>,
}

impl<'a> Input<'a> {
    fn new<X: Element>(
        layer: &Layer,
        images: &'a Images,
        parameters: &'a Parameters,
        x: &[X],
    ) -> Result<Self, Error> {
        images.elements()?;
        has_parameters(layer, images, parameters)?;
        // The lengths fit usize, since their product does and none is zero.
        let shape = Shape {
            samples: images.samples as usize,
            channels: images.channels as usize,
            height: images.height as usize,
            width: images.width as usize,
        };
        let mut input = Input {
            images,
            shape,
            parameters,
            x: Vec::new(),
        };
        input.x = input.planar("x", x)?;
        Ok(input)
    }

    /// A parameter that the layer lists.
    fn parameter(&self, name: &str) -> &'a [f64] {
        &self.parameters.0[name]
    }

    /// From the images' order to NCHW.
    fn planar<T: Element>(&self, name: &str, values: &[T]) -> Result<Vec<f64>, Error> {
        has_shape(name, &self.images.shape(), values.len())?;
        let places = self.places_in_memory();
        Ok(places
            .map(|place| f64::from(values[place].to_f32()))
            .collect())
    }

    /// From NCHW to the images' order.
    fn stored(&self, planar: &[f64]) -> Vec<f64> {
        let mut values = vec![0.0; planar.len()];
        for (place, value) in self.places_in_memory().zip(planar) {
            values[place] = *value;
        }
        values
    }

    /// The index in memory of each element, the elements taken in NCHW.
    fn places_in_memory(&self) -> impl Iterator<Item = usize> {
        let (shape, order) = (self.shape, self.images.order);
        let channels = shape.channels;
        shape.planes().flat_map(move |(sample, channel)| {
            (0..shape.places()).map(move |place| match order {
                Order::Nchw => shape.plane(sample, channel).start + place,
                Order::Nhwc => (sample * shape.places() + place) * channels + channel,
            })
        })
    }
}

/// Refuses parameters that are not those of a layer.
pub(crate) fn has_parameters(
    layer: &Layer,
    images: &Images,
    parameters: &Parameters,
) -> Result<(), Error> {
    let wanted = layer.parameters(images)?;
    for parameter in &wanted {
        let values = parameters.get(&parameter.name).ok_or_else(|| {
            Error::Layer(LayerError::MissingTensor {
                layer: layer.name(),
                name: parameter.name.clone(),
                shape: parameter.shape.clone(),
            })
        })?;
        has_shape(&parameter.name, &parameter.shape, values.len())?;
    }
    let is_wanted = |name: &str| wanted.iter().any(|parameter| parameter.name == name);
    if let Some((unknown, _)) = parameters.iter().find(|(name, _)| !is_wanted(name)) {
        return Err(Error::Layer(LayerError::UnknownTensor {
            layer: layer.name(),
            name: unknown.to_owned(),
            known: wanted.into_iter().map(|parameter| parameter.name).collect(),
        }));
    }
    Ok(())
}

fn product(lengths: &[u64]) -> Option<u64> {
    let mut lengths = lengths.iter();
    lengths.try_fold(1u64, |product, length| product.checked_mul(*length))
}

pub(crate) fn has_shape(name: &str, shape: &[u64], len: usize) -> Result<(), Error> {
    if product(shape) == Some(len as u64) {
        return Ok(());
    }
    Err(Error::Layer(LayerError::BadTensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        len: len as u64,
    }))
}

fn bad_setting(
    layer: &'static str,
    setting: &'static str,
    needs: impl Into<String>,
    value: impl fmt::Debug,
) -> Error {
    Error::Layer(LayerError::BadSetting {
        layer,
        setting,
        needs: needs.into(),
        value: format!("{value:?}"),
    })
}
