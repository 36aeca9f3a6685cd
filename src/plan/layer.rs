//! What a layer's pass dispatches.

use super::launch::{Binding, Code, Launch, Launches, Source};
use super::layer_operands::LayerOperands;
use super::limits::Machine;
use super::operand::Operand;
use super::placed::{Placed, missing, unexpected};
use crate::error::{ChainError, DeviceError, Error, LayerError, OperandError};
use crate::layers::gpu::{Buffer, Program, Stage, programs};
use crate::layers::{Images, Layer};
use crate::pass::Pass;
use crate::tensor::dtype::{DType, DTypes};
use crate::tensor::layout::Whose;
use crate::wgsl::Access;

/// A layer's pass for images of one shape, on no device.
#[derive(Clone, Debug)]
pub(crate) struct LayerTask {
    name: &'static str,
    pub(crate) pass: Pass,
    pub(crate) images: Images,
    pub(crate) dtypes: DTypes,
    /// For operands at the best of places, if the shape allows it.
    pub(crate) best: Program,
    /// For operands at any place.
    pub(crate) any: Program,
}

impl LayerTask {
    pub(crate) fn new(
        layer: &Layer,
        images: &Images,
        pass: Pass,
        dtypes: DTypes,
    ) -> Result<Self, Error> {
        if pass == Pass::DoubleBackward {
            return Err(Error::Layer(LayerError::NoSecondDerivative {
                layer: layer.name(),
            }));
        }
        if pass == Pass::BackwardFromY {
            return Err(Error::Chain(ChainError::NeedsInput {
                name: layer.name().to_owned(),
                why: "its gradients depend on all of x".into(),
            }));
        }
        let [any, best] = programs(layer, images, pass, dtypes)?;
        Ok(LayerTask {
            name: layer.name(),
            pass,
            images: *images,
            dtypes,
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

    /// Elements of a buffer, wherever operands lie.
    pub(crate) fn len(&self, buffer: Buffer) -> u64 {
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
            bindings.push((Buffer::Scratch, (0, Binding::scratch(own))));
        }
        for stage in &program.stages {
            let [row, rows] = machine.grid(stage.groups);
            let mut used = Vec::new();
            for (buffer, _) in &stage.buffers {
                let found = bindings.iter().find(|(known, _)| known == buffer);
                let (_, (_, binding)) = found.ok_or_else(|| missing(self.pass, buffer.name()))?;
                used.push(*binding);
            }
            let launch = Launch {
                code: self.code(stage, shared),
                bindings: used,
                uniform: uniform(program, &stage.fields, &bindings, row),
                random: None,
                grid: [row, rows, 1],
            };
            launches.push(machine, launch)?;
        }
        Ok(launches)
    }

    fn code(&self, stage: &Stage, shared: bool) -> Code<'static> {
        let written = stage.buffers.iter().map(|(_, written)| *written);
        Code::Text {
            label: format!("nonlin {} {} {}", self.name, self.pass, stage.label),
            text: if shared {
                stage.in_one_buffer()
            } else {
                stage.text.clone()
            },
            written: written.collect(),
            shared,
        }
    }

    /// Checks an operand by itself.
    fn checked<'a>(&self, buffer: Buffer, operand: Operand<'a>) -> Result<Placed<'a>, Error> {
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
            return Err(Error::Layer(LayerError::BadTensor {
                name: buffer.name().into(),
                shape,
                len: operand.len(),
            }));
        }
        let placed = Placed::new(buffer.name().into(), operand, dtype, Whose::Each)?;
        if placed.rows().is_some() {
            return Err(Error::Operand(OperandError::Gaps {
                operand: placed.name,
            }));
        }
        Ok(placed)
    }

    /// Checks all operands.
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
                return Err(unexpected(self.pass, buffer.name()));
            }
            placed.push(Part {
                buffer: *buffer,
                placed: self.checked(*buffer, *operand)?,
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

/// The words of a kernel's uniform, given the groups in a row of its grid.
fn uniform(
    program: &Program,
    fields: &[String],
    bindings: &[(Buffer, (u32, Binding<'_>))],
    row: u32,
) -> Vec<u32> {
    let at = |buffer: Buffer| {
        let found = bindings.iter().find(|(known, _)| *known == buffer);
        found.map_or(0, |(_, (at, _))| *at)
    };
    let value = |field: &String| match field.as_str() {
        "row" => row,
        field => program
            .value(field, at)
            .unwrap_or_else(|| unreachable!("no number {field}")),
    };
    let mut uniform: Vec<u32> = fields.iter().map(value).collect();
    uniform.resize(uniform.len().next_multiple_of(4), 0);
    uniform
}

/// An operand that was checked.
struct Part<'a> {
    buffer: Buffer,
    placed: Placed<'a>,
}

impl<'a> Part<'a> {
    /// Where in the binding the elements begin, in what the kernel counts, and the binding.
    fn binding(&self, machine: &Machine, access: Access) -> Result<(u32, Binding<'a>), Error> {
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
            return Err(Error::Device(DeviceError::TooLarge {
                what: format!("{name}, which a layer cannot cut,"),
                bytes: size,
                limit: machine.limit(),
            }));
        }
        let unit = match access {
            Access::Vec4 if self.buffer.has_images() => 4 * dtype.size(),
            _ => dtype.size(),
        };
        let binding = Binding {
            from: Source::Operand(operand.memory()),
            offset,
            size,
        };
        Ok((((bytes.start - offset) / unit) as u32, binding))
    }
}
