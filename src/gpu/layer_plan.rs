//! Plans of layers.

use super::bind::{Bound, bind};
use super::kernels::{Inner, Kernels};
use crate::error::Error;
use crate::layers::gpu::Buffer;
use crate::layers::{Images, Layer, Parameter};
use crate::pass::Pass;
use crate::plan::layer::LayerTask;
use crate::plan::layer_operands::LayerOperands;
use crate::tensor::dtype::DTypes;
use std::ops::Range;
use std::sync::Arc;

/// A layer's pass for images of one shape. Kernels are compiled when it is first bound.
///
/// All parameters are one operand of f32, one behind the other as [`parameters`](Self::parameters) tells, and so are
/// their gradients: a device need not allow many bindings.
#[derive(Clone, Debug)]
pub struct LayerPlan {
    inner: Arc<Inner>,
    task: LayerTask,
    parameters: Vec<Parameter>,
}

impl LayerPlan {
    pub(super) fn new(
        kernels: &Kernels,
        layer: &Layer,
        images: &Images,
        pass: Pass,
        dtypes: DTypes,
    ) -> Result<Self, Error> {
        Ok(LayerPlan {
            inner: Arc::clone(&kernels.inner),
            task: LayerTask::new(layer, images, pass, dtypes)?,
            parameters: layer.parameters(images)?,
        })
    }

    /// The pass.
    pub fn pass(&self) -> Pass {
        self.task.pass
    }

    /// The layer's parameters, and which elements of the operand of parameters, or of their gradients, each
    /// has.
    pub fn parameters(&self) -> impl Iterator<Item = (&Parameter, Range<u64>)> {
        self.parameters.iter().map(|parameter| {
            let region = self.task.any.regions.iter().find(|region| {
                region.buffer == Buffer::Parameters && region.name == parameter.name
            });
            (
                parameter,
                region.map_or(0..0, |region| region.elements.clone()),
            )
        })
    }

    /// Elements of the operand of parameters, and of that of their gradients.
    pub fn parameters_len(&self) -> u64 {
        self.task.any.elements(Buffer::Parameters)
    }

    /// Elements of what forward leaves for backward, f32; zero where it leaves nothing.
    pub fn saved_len(&self) -> u64 {
        self.task.saved_len()
    }

    /// Elements of memory, f32, that the pass needs while it runs.
    pub fn scratch_len(&self) -> u64 {
        self.task.len(Buffer::Scratch)
    }

    /// Bytes of x, y, dy and dx that the dispatches read and write, each operand once in a dispatch.
    pub fn bytes(&self) -> u64 {
        let stages = self.task.any.stages.iter().flat_map(|stage| &stage.buffers);
        let sizes = stages
            .filter(|(buffer, _)| buffer.has_images())
            .map(|(buffer, _)| self.task.dtypes.of(buffer.name()).size());
        sizes.sum::<u64>() * self.task.images.elements().unwrap_or(0)
    }

    /// Whether it renews running statistics.
    pub(super) fn trains(&self) -> bool {
        let stages = self.task.any.stages.iter();
        let all = stages.flat_map(|stage| &stage.buffers);
        all.into_iter()
            .any(|(buffer, written)| *buffer == Buffer::Parameters && *written)
    }

    /// Dispatches that a bound of this plan records.
    pub fn dispatches(&self) -> usize {
        self.task.best.stages.len()
    }

    /// The kernels' WGSL, for operands apart from each other at places that are multiples of 4 elements, with
    /// their labels.
    pub fn wgsl(&self) -> impl Iterator<Item = (&str, &str)> {
        let stages = self.task.best.stages.iter();
        stages.map(|stage| (stage.label.as_str(), stage.text.as_str()))
    }

    /// Binds the plan to operands: checks everything, makes what recording needs. The first binding compiles.
    ///
    /// Operands may lie in one buffer but must not overlap; where they do lie in one, all that is written and
    /// read must be so in the whole of this binding.
    ///
    /// # Errors
    /// [`OperandError::Missing`](crate::OperandError::Missing),
    /// [`OperandError::Unexpected`](crate::OperandError::Unexpected),
    /// [`LayerError::BadTensor`](crate::LayerError::BadTensor) for a wrong length,
    /// [`OperandError::MissingUsage`](crate::OperandError::MissingUsage),
    /// [`OperandError::Misaligned`](crate::OperandError::Misaligned),
    /// [`OperandError::Gaps`](crate::OperandError::Gaps),
    /// [`OperandError::OutOfRange`](crate::OperandError::OutOfRange),
    /// [`OperandError::Overlap`](crate::OperandError::Overlap), [`DeviceError::TooLarge`](crate::DeviceError::TooLarge)
    /// for an operand larger than the device can bind;
    /// [`DeviceError::TooManyOperands`](crate::DeviceError::TooManyOperands);
    /// [`DeviceError::Refused`](crate::DeviceError::Refused).
    pub fn bind(&self, operands: LayerOperands<'_>) -> Result<Bound, Error> {
        let (launches, len) = self.task.launches(&self.inner.machine, &operands)?;
        bind(&self.inner, launches, len, |code| self.inner.kernel(code))
    }
}
