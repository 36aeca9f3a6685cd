//! Plans of layers, and their operands.

use super::launch::{self, Code, From, Launch, Launches, Machine};
use super::operand::{Placed, missing};
use crate::gpu::kernels::Inner;
use crate::gpu::{Bound, Kernels, Operand};
use crate::layers::gpu::{Access, Buffer, Form, Program, Stage, is_whole};
use crate::layers::sealed::OnGpu;
use crate::layers::{Images, Layer, Parameter};
use crate::tensor::layout::Whose;
use crate::{DType, DTypes, Error, Pass};
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
}

/// A layer's pass for images of one shape, on no device.
#[derive(Clone, Debug)]
pub(crate) struct LayerTask {
    name: &'static str,
    pass: Pass,
    images: Images,
    dtypes: DTypes,
    parameters: Vec<Parameter>,
    /// For operands at the best of places, if the shape allows it.
    best: Program,
    /// For operands at any place.
    any: Program,
}

/// Elements of what a layer's forward pass leaves for backward.
pub(crate) fn saved_len<L: Layer>(layer: &L, images: &Images) -> Result<u64, Error> {
    let task = LayerTask::new(layer, images, Pass::Forward, DType::F32.into())?;
    Ok(task.saved_len())
}

impl LayerTask {
    pub(crate) fn new<L: Layer>(
        layer: &L,
        images: &Images,
        pass: Pass,
        dtypes: DTypes,
    ) -> Result<Self, Error> {
        if pass == Pass::BackwardFromY {
            return Err(Error::NeedsInput {
                name: layer.name().to_owned(),
                why: "its gradients depend on all of x".into(),
            });
        }
        let parameters = layer.parameters(images)?;
        let form = Form {
            images: *images,
            pass,
            dtypes,
            access: Access::Scalar,
        };
        let any = OnGpu::program(layer, &form)?;
        let best = if is_whole(images) {
            let access = Access::Vec4;
            OnGpu::program(layer, &Form { access, ..form })?
        } else {
            any.clone()
        };
        Ok(LayerTask {
            name: layer.name(),
            pass,
            images: *images,
            dtypes,
            parameters,
            best,
            any,
        })
    }

    /// The kernels' texts for operands at the best of places.
    #[cfg(test)]
    pub(crate) fn stages(&self) -> impl Iterator<Item = &str> {
        self.best.stages.iter().map(|stage| stage.text.as_str())
    }

    /// Elements of what forward leaves for backward, f32.
    pub(crate) fn saved_len(&self) -> u64 {
        self.len(Buffer::Saved)
    }

    fn len(&self, buffer: Buffer) -> u64 {
        self.any.elements(buffer).max(self.best.elements(buffer))
    }

    /// Checks the operands, and says what is to be dispatched.
    pub(crate) fn launches<'a>(
        &self,
        machine: &Machine,
        operands: &LayerOperands<'a>,
    ) -> Result<(Launches<'a>, u64), Error> {
        let placed = self.place(operands)?;
        let fits = |part: &Part<'_>| {
            let word = 4 * part.placed.dtype.size();
            part.placed.bytes.start.is_multiple_of(word)
        };
        let images = placed.iter().filter(|part| part.buffer.has_images());
        let program = if images.clone().all(fits) {
            &self.best
        } else {
            &self.any
        };
        let is_written = |buffer: Buffer| {
            let all = program.stages.iter().flat_map(|stage| &stage.buffers);
            all.into_iter()
                .any(|(known, written)| *known == buffer && *written)
        };
        let mut shared = false;
        for (index, part) in placed.iter().enumerate() {
            for other in &placed[..index] {
                let either = is_written(part.buffer) || is_written(other.buffer);
                let (a, b) = (&other.placed, &part.placed);
                if !either || a.operand.memory() != b.operand.memory() {
                    continue;
                }
                shared = true;
                if !a.is_apart(b) {
                    return Err(a.overlap(b));
                }
            }
        }
        Ok((
            self.dispatched(machine, program, &placed, shared)?,
            self.images.elements()?,
        ))
    }

    fn dispatched<'a>(
        &self,
        machine: &Machine,
        program: &Program,
        placed: &[Part<'a>],
        shared: bool,
    ) -> Result<Launches<'a>, Error> {
        let own = program.elements(Buffer::Scratch) * 4;
        let is_given = placed.iter().any(|part| part.buffer == Buffer::Scratch);
        let mut bindings = Vec::new();
        for part in placed {
            bindings.push((part.buffer, part.binding(machine, program.form.access)?));
        }
        let mut launches = Launches::default();
        if own > 0 && !is_given {
            launches.scratch = own;
            let binding = launch::Binding {
                from: From::Scratch,
                offset: 0,
                size: own,
            };
            bindings.push((Buffer::Scratch, (0, binding)));
        }
        let at = |buffer: Buffer| {
            let found = bindings.iter().find(|(known, _)| *known == buffer);
            found.map_or(0, |(_, (at, _))| *at)
        };
        let grid = |groups: u64| {
            let [row, rows] = machine.grid(groups);
            [row, rows, 1]
        };
        let mut uniform: Vec<u32> = Vec::new();
        for region in &program.regions {
            uniform.push(at(region.buffer) + region.elements.start as u32);
        }
        for buffer in [Buffer::X, Buffer::Y, Buffer::Dy, Buffer::Dx] {
            uniform.push(at(buffer));
        }
        for (name, value, _) in &program.numbers {
            let row = program
                .stages
                .iter()
                .enumerate()
                .find(|(index, _)| *name == format!("row{index}"));
            uniform.push(row.map_or(*value, |(_, stage)| grid(stage.groups)[0]));
        }
        uniform.resize(uniform.len().next_multiple_of(4), 0);
        let named: Vec<&str> = program.fields().map(|(name, _)| name).collect();
        for stage in &program.stages {
            let mut used = Vec::new();
            for (buffer, _) in &stage.buffers {
                let found = bindings.iter().find(|(known, _)| known == buffer);
                let (_, (_, binding)) = found.ok_or_else(|| missing(self.pass, buffer.name()))?;
                used.push(*binding);
            }
            let launch = Launch {
                code: self.code(stage, shared),
                bindings: used,
                uniform: match &stage.fields {
                    None => uniform.clone(),
                    Some(fields) => {
                        let row = grid(stage.groups)[0];
                        let value = |field: &String| {
                            if field == "row" {
                                return row;
                            }
                            let at = named.iter().position(|name| name == field);
                            at.map(|at| uniform[at])
                                .unwrap_or_else(|| unreachable!("no number {field}"))
                        };
                        let mut own: Vec<u32> = fields.iter().map(value).collect();
                        own.resize(own.len().next_multiple_of(4), 0);
                        own
                    }
                },
                random: None,
                grid: grid(stage.groups),
            };
            launches.push(machine, launch)?;
        }
        Ok(launches)
    }

    fn code(&self, stage: &Stage, shared: bool) -> Code {
        let written = stage.buffers.iter().map(|(_, written)| *written || shared);
        Code::Text {
            label: format!("nonlin {} {} {}", self.name, self.pass, stage.label),
            text: if shared {
                stage.in_one_buffer()
            } else {
                stage.text.clone()
            },
            written: written.collect(),
        }
    }

    fn place<'a>(&self, operands: &LayerOperands<'a>) -> Result<Vec<Part<'a>>, Error> {
        let mut placed = Vec::new();
        let passed: &[Buffer] = match self.pass {
            Pass::Forward => &[Buffer::X, Buffer::Y],
            _ => &[Buffer::X, Buffer::Dy, Buffer::Dx],
        };
        for (buffer, operand) in &operands.given {
            let is_known = match buffer {
                Buffer::Gradients => self.pass == Pass::Backward,
                Buffer::Parameters | Buffer::Saved | Buffer::Scratch => true,
                buffer => passed.contains(buffer),
            };
            if !is_known {
                return Err(Error::UnexpectedOperand {
                    pass: self.pass,
                    operand: buffer.name().into(),
                });
            }
            let (dtype, wanted, shape) = if buffer.has_images() {
                let elements = self.images.elements()?;
                let shape = self.images.shape().to_vec();
                (self.dtypes.of(buffer.name()), elements, shape)
            } else {
                let wanted = match buffer {
                    Buffer::Saved => self.saved_len(),
                    Buffer::Scratch => self.len(Buffer::Scratch),
                    _ => self.any.elements(Buffer::Parameters),
                };
                (DType::F32, wanted, vec![wanted])
            };
            if operand.len() != wanted {
                return Err(Error::BadTensor {
                    name: buffer.name().into(),
                    shape,
                    len: operand.len(),
                });
            }
            let of_placed = Placed::new(buffer.name().into(), *operand, dtype, Whose::Each)?;
            if of_placed.rows().is_some() {
                return Err(Error::Gaps {
                    operand: of_placed.name,
                });
            }
            placed.push(Part {
                buffer: *buffer,
                placed: of_placed,
            });
        }
        let mut needed = passed.to_vec();
        for (buffer, len) in [
            (Buffer::Parameters, self.any.elements(Buffer::Parameters)),
            (Buffer::Saved, self.saved_len()),
        ] {
            if len > 0 {
                needed.push(buffer);
            }
        }
        if self.pass == Pass::Backward {
            needed.push(Buffer::Gradients);
        }
        for buffer in needed {
            if !placed.iter().any(|part| part.buffer == buffer) {
                return Err(missing(self.pass, buffer.name()));
            }
        }
        Ok(placed)
    }
}

impl LayerPlan {
    pub(crate) fn new<L: Layer>(
        kernels: &Kernels,
        layer: &L,
        images: &Images,
        pass: Pass,
        dtypes: DTypes,
    ) -> Result<Self, Error> {
        Ok(LayerPlan {
            inner: Arc::clone(&kernels.inner),
            task: LayerTask::new(layer, images, pass, dtypes)?,
        })
    }

    /// The pass.
    pub fn pass(&self) -> Pass {
        self.task.pass
    }

    /// The layer's parameters, and which elements of the operand of parameters, or of their gradients, each
    /// has.
    pub fn parameters(&self) -> impl Iterator<Item = (&Parameter, Range<u64>)> {
        self.task.parameters.iter().map(|parameter| {
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
    pub(crate) fn trains(&self) -> bool {
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
    /// [`Error::MissingOperand`], [`Error::UnexpectedOperand`], [`Error::BadTensor`] for a wrong length,
    /// [`Error::MissingUsage`], [`Error::Misaligned`], [`Error::Gaps`], [`Error::OutOfRange`], [`Error::Overlap`],
    /// [`Error::TooLarge`] for an operand larger than the device can bind; [`Error::TooManyOperands`];
    /// [`Error::Device`].
    pub fn bind(&self, operands: LayerOperands<'_>) -> Result<Bound, Error> {
        let (launches, len) = self.task.launches(&self.inner.machine, &operands)?;
        launches.bound(&self.inner, None, len)
    }
}

/// An operand that was checked.
struct Part<'a> {
    buffer: Buffer,
    placed: Placed<'a>,
}

impl<'a> Part<'a> {
    /// Where in the binding the elements begin, in what the kernel counts, and the binding.
    fn binding(
        &self,
        machine: &Machine,
        access: Access,
    ) -> Result<(u32, launch::Binding<'a>), Error> {
        let alignment = machine.alignment();
        let Placed {
            name,
            operand,
            bytes,
            dtype,
            ..
        } = &self.placed;
        let offset = bytes.start / alignment * alignment;
        // wgpu binds whole words.
        let size = (bytes.end - offset).next_multiple_of(4);
        if size > machine.limit() {
            return Err(Error::TooLarge {
                what: format!("{name}, which a layer cannot cut,"),
                bytes: size,
                limit: machine.limit(),
            });
        }
        let unit = match access {
            Access::Vec4 if self.buffer.has_images() => 4 * dtype.size(),
            _ => dtype.size(),
        };
        let binding = launch::Binding {
            from: From::Memory(operand.memory()),
            offset,
            size,
        };
        Ok((((bytes.start - offset) / unit) as u32, binding))
    }
}

/// The operands of a layer's pass. Forward reads x and the parameters, and writes y and what it saves for
/// backward; a batch norm that trains renews the running statistics among the parameters. Backward reads x,
/// dy, the parameters and what was saved, and writes dx and the parameters' gradients.
#[derive(Clone, Debug, Default)]
pub struct LayerOperands<'a> {
    given: Vec<(Buffer, Operand<'a>)>,
}

impl<'a> LayerOperands<'a> {
    /// No operands, to be given some.
    pub fn new() -> Self {
        Self::default()
    }

    fn give(mut self, buffer: Buffer, operand: Operand<'a>) -> Self {
        self.given.retain(|(known, _)| *known != buffer);
        self.given.push((buffer, operand));
        self
    }

    /// The input, in the images' order.
    #[must_use]
    pub fn x(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::X, operand)
    }

    /// The value, which forward writes.
    #[must_use]
    pub fn y(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Y, operand)
    }

    /// The gradient with respect to the value, which backward reads.
    #[must_use]
    pub fn dy(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Dy, operand)
    }

    /// The gradient with respect to x, which backward writes.
    #[must_use]
    pub fn dx(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Dx, operand)
    }

    /// The parameters, of [`LayerPlan::parameters_len`] elements of f32.
    #[must_use]
    pub fn parameters(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Parameters, operand)
    }

    /// The parameters' gradients, as long as they, which backward writes. Those of running statistics, which
    /// have none, are left as they are.
    #[must_use]
    pub fn gradients(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Gradients, operand)
    }

    /// What forward leaves for backward, of [`LayerPlan::saved_len`] elements of f32. Not needed where that is
    /// zero.
    #[must_use]
    pub fn saved(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Saved, operand)
    }

    /// Memory of [`LayerPlan::scratch_len`] elements of f32 that the pass may use while it runs. Where it is left
    /// out, the bound has its own.
    #[must_use]
    pub fn scratch(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Scratch, operand)
    }
}
