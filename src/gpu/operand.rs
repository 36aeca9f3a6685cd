//! Operands: where in a caller's buffers the elements are.

use crate::{DType, Error, Pass};
use std::ops::Range;

/// A range of elements in a buffer. The buffer needs the usage [`STORAGE`](wgpu::BufferUsages::STORAGE).
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    buffer: &'a wgpu::Buffer,
    offset: u64,
    len: u64,
}

impl<'a> Operand<'a> {
    /// `len` elements from byte `offset` on. The offset must be a multiple of the element's size;
    /// nothing else is asked of it, but operands whose offsets are multiples of 4 elements, in buffers
    /// with room for whole groups of 4, are read and written faster.
    pub fn new(buffer: &'a wgpu::Buffer, offset: u64, len: u64) -> Self {
        Operand {
            buffer,
            offset,
            len,
        }
    }

    /// The buffer.
    pub fn buffer(&self) -> &'a wgpu::Buffer {
        self.buffer
    }

    /// The first byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Checks the operand against its buffer and returns the bytes that it takes.
    pub(super) fn bytes(&self, name: &'static str, dtype: DType) -> Result<Range<u64>, Error> {
        let needed = wgpu::BufferUsages::STORAGE;
        let usage = self.buffer.usage();
        if !usage.contains(needed) {
            return Err(Error::MissingUsage {
                operand: name,
                missing: needed,
                usage,
            });
        }
        let (offset, alignment) = (self.offset, dtype.size());
        if !offset.is_multiple_of(alignment) {
            return Err(Error::Misaligned {
                operand: name,
                offset,
                alignment,
            });
        }
        let size = self.buffer.size();
        let end = self
            .len
            .checked_mul(alignment)
            .and_then(|bytes| bytes.checked_add(offset));
        match end {
            Some(end) if end <= size => Ok(offset..end),
            _ => Err(Error::OutOfRange {
                operand: name,
                offset,
                end: end.unwrap_or(u64::MAX),
                size,
            }),
        }
    }
}

/// The operands of one pass: x and y forward; x, dy and dx backward.
#[derive(Clone, Copy, Debug, Default)]
pub struct Operands<'a> {
    x: Option<Operand<'a>>,
    y: Option<Operand<'a>>,
    dy: Option<Operand<'a>>,
    dx: Option<Operand<'a>>,
}

impl<'a> Operands<'a> {
    /// No operands, to be given some.
    pub fn new() -> Self {
        Self::default()
    }

    /// The input, which both passes read.
    #[must_use]
    pub fn x(self, operand: Operand<'a>) -> Self {
        Operands {
            x: Some(operand),
            ..self
        }
    }

    /// The value, which the forward pass writes.
    #[must_use]
    pub fn y(self, operand: Operand<'a>) -> Self {
        Operands {
            y: Some(operand),
            ..self
        }
    }

    /// The gradient with respect to the value, which the backward pass reads.
    #[must_use]
    pub fn dy(self, operand: Operand<'a>) -> Self {
        Operands {
            dy: Some(operand),
            ..self
        }
    }

    /// The gradient with respect to x, which the backward pass writes.
    #[must_use]
    pub fn dx(self, operand: Operand<'a>) -> Self {
        Operands {
            dx: Some(operand),
            ..self
        }
    }

    /// The operands of a pass in the order of its bindings, each checked against its buffer, all against
    /// each other.
    pub(super) fn placed(&self, pass: Pass, dtypes: &[DType]) -> Result<Vec<Placed<'a>>, Error> {
        let given = [
            ("x", self.x),
            ("y", self.y),
            ("dy", self.dy),
            ("dx", self.dx),
        ];
        for (operand, value) in given {
            if value.is_some() && !pass.operands().contains(&operand) {
                return Err(Error::UnexpectedOperand { pass, operand });
            }
        }
        let mut placed: Vec<Placed<'a>> = Vec::with_capacity(dtypes.len());
        for (name, dtype) in pass.operands().iter().zip(dtypes) {
            let value = given
                .iter()
                .find(|(operand, _)| operand == name)
                .and_then(|(_, value)| *value);
            let operand = value.ok_or(Error::MissingOperand {
                pass,
                operand: name,
            })?;
            if let Some(first) = placed.first() {
                crate::error::same_length(first.name, first.operand.len, name, operand.len)?;
            }
            let bytes = operand.bytes(name, *dtype)?;
            placed.push(Placed {
                name,
                operand,
                bytes,
                dtype: *dtype,
            });
        }
        Ok(placed)
    }
}

/// Whether the output takes the place of an input, and which; overlap of any other kind is an error.
pub(super) fn in_place(placed: &[Placed<'_>]) -> Result<Option<usize>, Error> {
    let Some((output, inputs)) = placed.split_last() else {
        return Ok(None);
    };
    let mut found = None;
    for (index, input) in inputs.iter().enumerate() {
        let apart = input.bytes.end <= output.bytes.start || output.bytes.end <= input.bytes.start;
        if input.operand.buffer != output.operand.buffer || apart {
            continue;
        }
        if found.is_none() && input.bytes == output.bytes && input.dtype == output.dtype {
            found = Some(index);
            continue;
        }
        return Err(Error::Overlap {
            first: input.name,
            first_bytes: input.bytes.clone(),
            second: output.name,
            second_bytes: output.bytes.clone(),
        });
    }
    Ok(found)
}

/// An operand that was checked.
pub(super) struct Placed<'a> {
    pub(super) name: &'static str,
    pub(super) operand: Operand<'a>,
    pub(super) bytes: Range<u64>,
    pub(super) dtype: DType,
}
