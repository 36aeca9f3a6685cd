//! The layers as one type.

use super::{
    BatchNorm, DynamicRelu, Frelu, Gradients, Images, Input, MetaAcon, Outputs, Parameter,
    Parameters,
};
use crate::error::Error;
use crate::tensor::dtype::Element;

/// A layer, in f64 on the CPU; [`Kernels::layer`](crate::Kernels::layer) is the GPU's.
///
/// It is made from a struct of settings, or read from text: a name of [`Layer::NAMES`] with the
/// [settings](Self::settings) that are not at their defaults, a setting that is true as a bare word. Text as it is
/// displayed reads as the same layer. `dynamic_relu(variant=c)` is read too, and is `dyrelu_c`.
///
/// x and dy are of any [`Element`] type, in the order that the images tell; results are f64 in that order.
///
/// ```
/// use nonlin::layers::{Frelu, Layer};
///
/// let layer: Layer = "frelu(kernel=3x1, light, norm=none)".parse()?;
/// assert_eq!(layer, Frelu { kernel: (3, 1), light: true, norm: None, ..Frelu::default() }.into());
/// assert_eq!(layer.to_string(), "frelu(kernel=3x1, light, norm=none)");
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// The larger of x and a window's weighted sum around it.
    Frelu(Frelu),
    /// ACON-C, whose beta two small layers make from the image's means.
    MetaAcon(MetaAcon),
    /// The largest of K straight lines, whose coefficients two small layers make from the image's means.
    DynamicRelu(DynamicRelu),
}

impl From<Frelu> for Layer {
    fn from(layer: Frelu) -> Self {
        Layer::Frelu(layer)
    }
}

impl From<MetaAcon> for Layer {
    fn from(layer: MetaAcon) -> Self {
        Layer::MetaAcon(layer)
    }
}

impl From<DynamicRelu> for Layer {
    fn from(layer: DynamicRelu) -> Self {
        Layer::DynamicRelu(layer)
    }
}

impl Layer {
    /// The layer's name, one of [`NAMES`](Self::NAMES); each variant of dynamic ReLU has its own.
    pub fn name(&self) -> &'static str {
        match self {
            Layer::Frelu(layer) => layer.name(),
            Layer::MetaAcon(layer) => layer.name(),
            Layer::DynamicRelu(layer) => layer.name(),
        }
    }

    /// The batch norm of all of the layer's norms, if it has any.
    pub fn norm(&self) -> Option<BatchNorm> {
        match self {
            Layer::Frelu(layer) => layer.norm,
            Layer::MetaAcon(layer) => layer.norm,
            Layer::DynamicRelu(_) => None,
        }
    }

    /// Whether a forward pass uses the batch's statistics, and renews the running ones.
    pub fn trains(&self) -> bool {
        self.norm().is_some_and(|norm| norm.training)
    }

    /// The same layer with another batch norm; one that can have none gets none.
    pub(crate) fn with_norm(&self, norm: BatchNorm) -> Self {
        let norm = Some(norm);
        match self {
            Layer::Frelu(layer) => Frelu { norm, ..*layer }.into(),
            Layer::MetaAcon(layer) => MetaAcon { norm, ..*layer }.into(),
            Layer::DynamicRelu(_) => self.clone(),
        }
    }

    /// The parameters that the layer needs for such images, in PyTorch's shapes.
    ///
    /// # Errors
    /// [`LayerError::BadSetting`](crate::LayerError::BadSetting) for a setting without meaning, and
    /// [`LayerError::BadImages`](crate::LayerError::BadImages).
    pub fn parameters(&self, images: &Images) -> Result<Vec<Parameter>, Error> {
        match self {
            Layer::Frelu(layer) => layer.parameters(images),
            Layer::MetaAcon(layer) => layer.parameters(images),
            Layer::DynamicRelu(layer) => layer.parameters(images),
        }
    }

    /// The layer's values, as many as x has.
    ///
    /// # Errors
    /// As [`parameters`](Self::parameters); [`LayerError::MissingTensor`](crate::LayerError::MissingTensor),
    /// [`LayerError::UnknownTensor`](crate::LayerError::UnknownTensor) and
    /// [`LayerError::BadTensor`](crate::LayerError::BadTensor) where parameters, or x, are not as they must be; and
    /// [`LayerError::BadImages`](crate::LayerError::BadImages) where a batch norm would train on one value per channel.
    pub fn forward<X: Element>(
        &self,
        images: &Images,
        parameters: &Parameters,
        x: &[X],
    ) -> Result<Outputs, Error> {
        let input = Input::new(self, images, parameters, x)?;
        match self {
            Layer::Frelu(layer) => layer.forward(&input),
            Layer::MetaAcon(layer) => layer.forward(&input),
            Layer::DynamicRelu(layer) => Ok(layer.forward(&input)),
        }
    }

    /// The gradients of x and of the learned parameters, given that of y, `dy`, which is as long as x. Each has the
    /// shape of what it is the gradient of.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn backward<X: Element, G: Element>(
        &self,
        images: &Images,
        parameters: &Parameters,
        x: &[X],
        dy: &[G],
    ) -> Result<Gradients, Error> {
        let input = Input::new(self, images, parameters, x)?;
        let dy = input.planar("dy", dy)?;
        match self {
            Layer::Frelu(layer) => layer.backward(&input, dy),
            Layer::MetaAcon(layer) => layer.backward(&input, &dy),
            Layer::DynamicRelu(layer) => Ok(layer.backward(&input, &dy)),
        }
    }
}
