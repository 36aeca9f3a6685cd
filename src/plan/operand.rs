//! Operands: where in a caller's buffers the elements are.

use crate::tensor::layout::Whose;
use crate::{Chain, DType, Error, Layout, Pass};
use std::ops::Range;

/// Where an operand's bytes are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Memory<'a> {
    /// In a buffer, which needs the usage [`STORAGE`](wgpu::BufferUsages::STORAGE).
    Buffer(&'a wgpu::Buffer),
    /// In memory that only the host can bind, for a [`Recipe`](crate::Recipe): the host's own number for it,
    /// and its size in bytes.
    Host {
        /// Two operands with one number lie in the same memory.
        id: u64,
        /// Bytes that the host can bind.
        size: u64,
    },
}

impl Memory<'_> {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Memory::Buffer(buffer) => buffer.size(),
            Memory::Host { size, .. } => *size,
        }
    }
}

/// A range of elements in memory.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    memory: Memory<'a>,
    offset: u64,
    len: u64,
    rows: Rows,
}

/// Elements in a row, and from the beginning of one to the next. Elements without gaps are one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rows {
    pub(crate) len: u64,
    pub(crate) stride: u64,
}

impl<'a> Operand<'a> {
    /// `len` elements from byte `offset` on. The offset must be a multiple of the element's size;
    /// nothing else is asked of it, but operands whose offsets are multiples of 4 elements, in buffers
    /// with room for whole groups of 4, are read and written faster.
    pub fn new(buffer: &'a wgpu::Buffer, offset: u64, len: u64) -> Self {
        Self::in_memory(Memory::Buffer(buffer), offset, len)
    }

    /// The same in any memory, such as the host's.
    pub fn in_memory(memory: Memory<'a>, offset: u64, len: u64) -> Self {
        let rows = Rows { len, stride: len };
        Operand {
            memory,
            offset,
            len,
            rows,
        }
    }

    /// `rows` rows of `len` elements, each beginning `stride` elements behind the one before: a part
    /// of a packed tensor's last axis. The halves of one whose last axis is `2 h` are
    /// `rows(buffer, offset, n, h, 2 * h)` and the same from h elements further on.
    ///
    /// Rows of f16 or bf16 begin and end at whole 32-bit words; multiples of 4 elements are faster.
    pub fn rows(buffer: &'a wgpu::Buffer, offset: u64, rows: u64, len: u64, stride: u64) -> Self {
        Self::rows_in_memory(Memory::Buffer(buffer), offset, rows, len, stride)
    }

    /// The same in any memory, such as the host's.
    pub fn rows_in_memory(
        memory: Memory<'a>,
        offset: u64,
        rows: u64,
        len: u64,
        stride: u64,
    ) -> Self {
        let total = rows.saturating_mul(len);
        if rows <= 1 || stride == len {
            return Self::in_memory(memory, offset, total);
        }
        let rows = Rows { len, stride };
        Operand {
            memory,
            offset,
            len: total,
            rows,
        }
    }

    /// Where the bytes are.
    pub fn memory(&self) -> Memory<'a> {
        self.memory
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

    /// Checks the operand against its buffer and returns the bytes from its first element to its last.
    fn bytes(&self, name: &str, dtype: DType) -> Result<Range<u64>, Error> {
        let needed = wgpu::BufferUsages::STORAGE;
        if let Memory::Buffer(buffer) = self.memory
            && !buffer.usage().contains(needed)
        {
            return Err(Error::MissingUsage {
                operand: name.to_owned(),
                missing: needed,
                usage: buffer.usage(),
            });
        }
        let (offset, alignment) = (self.offset, dtype.size());
        if !offset.is_multiple_of(alignment) {
            return Err(Error::Misaligned {
                operand: name.to_owned(),
                offset,
                alignment,
            });
        }
        let Rows { len: row, stride } = self.rows;
        let in_gaps = |value: u64| !(value * alignment).is_multiple_of(4);
        if row != stride
            && (row > stride || in_gaps(row) || in_gaps(stride) || !offset.is_multiple_of(4))
        {
            return Err(Error::OddRows {
                operand: name.to_owned(),
                dtype,
                row,
                stride,
                offset,
            });
        }
        let size = self.memory.size();
        let elements = if row == stride {
            Some(self.len)
        } else {
            (self.len / row)
                .checked_sub(1)
                .and_then(|gaps| gaps.checked_mul(stride)?.checked_add(row))
        };
        let end = elements
            .and_then(|elements| elements.checked_mul(alignment))
            .and_then(|bytes| bytes.checked_add(offset));
        match end {
            Some(end) if end <= size => Ok(offset..end),
            _ => Err(Error::OutOfRange {
                operand: name.to_owned(),
                offset,
                end: end.unwrap_or(u64::MAX),
                size,
            }),
        }
    }
}

/// The operands of one pass: x and y forward; x, dy and dx backward; and those of arguments.
#[derive(Clone, Debug, Default)]
pub struct Operands<'a> {
    passed: [Option<Operand<'a>>; 4],
    args: Vec<(&'a str, Operand<'a>, DType)>,
    grads: Vec<(&'a str, Operand<'a>, DType)>,
    layout: Option<Layout>,
    pub(crate) random: [u64; 2],
}

/// The names of the passes' operands.
const PASSED: [&str; 4] = ["x", "y", "dy", "dx"];

impl<'a> Operands<'a> {
    /// No operands, to be given some.
    pub fn new() -> Self {
        Self::default()
    }

    fn passed(mut self, index: usize, operand: Operand<'a>) -> Self {
        self.passed[index] = Some(operand);
        self
    }

    /// The input.
    #[must_use]
    pub fn x(self, operand: Operand<'a>) -> Self {
        self.passed(0, operand)
    }

    /// The value: forward writes it, backward from y reads it.
    #[must_use]
    pub fn y(self, operand: Operand<'a>) -> Self {
        self.passed(1, operand)
    }

    /// The gradient with respect to the value, which the backward passes read.
    #[must_use]
    pub fn dy(self, operand: Operand<'a>) -> Self {
        self.passed(2, operand)
    }

    /// The gradient with respect to x, which the backward passes write. It may be left out where
    /// [`grad`](Self::grad) asks for others: nobody needs it of a network's first layer.
    #[must_use]
    pub fn dx(self, operand: Operand<'a>) -> Self {
        self.passed(3, operand)
    }

    /// The operand of an argument, `@name` in text. Its length says whose its values are: as long as x,
    /// one for each element; 1, one for all; with a [`layout`](Self::layout), as many as channels, one
    /// for each channel; as samples and channels, one for each of these.
    #[must_use]
    pub fn arg(mut self, name: &'a str, operand: Operand<'a>, dtype: DType) -> Self {
        self.args.push((name, operand, dtype));
        self
    }

    /// Asks the backward pass for the gradient of an argument, which it writes; as long as the argument. Where
    /// elements share a value, their shares are summed: in a fixed order, so that every run gives the same
    /// bits, and never in one running sum.
    #[must_use]
    pub fn grad(mut self, name: &'a str, operand: Operand<'a>, dtype: DType) -> Self {
        self.grads.push((name, operand, dtype));
        self
    }

    /// How x's elements are grouped. Not needed where arguments are shared or as long as x.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// What random steps draw: the numbers depend on the seed, the offset, the step and the element's
    /// index, on nothing else. Backward draws what forward drew if it is given the same. The k-th
    /// random step of a chain takes offset + k: the next use of the seed begins behind them.
    /// [`Bound::set_random`](crate::Bound::set_random) changes both.
    #[must_use]
    pub fn random(mut self, seed: u64, offset: u64) -> Self {
        self.random = [seed, offset];
        self
    }

    /// Checks all that can be checked without a device.
    pub(crate) fn placed(
        &self,
        chain: Option<&Chain>,
        pass: Pass,
        dtypes: crate::DTypes,
    ) -> Result<Given<'a>, Error> {
        for (operand, value) in PASSED.iter().zip(self.passed) {
            if value.is_some() && !pass.operands().contains(operand) {
                return Err(unexpected(pass, operand));
            }
        }
        let mut placed: Vec<Placed<'a>> = Vec::with_capacity(4);
        for name in pass.operands() {
            let value = PASSED
                .iter()
                .position(|operand| operand == name)
                .and_then(|i| self.passed[i]);
            let Some(operand) = value else {
                if *name == "dx" && !self.grads.is_empty() {
                    continue;
                }
                return Err(missing(pass, name));
            };
            if let Some(first) = placed.first() {
                let (a, b) = (first.operand.len, operand.len);
                crate::error::same_length(&first.name, a, name, b)?;
            }
            placed.push(Placed::new(
                (*name).to_owned(),
                operand,
                dtypes.of(name),
                Whose::Each,
            )?);
        }
        let len = placed.first().map_or(0, |x| x.operand.len);
        let layout = self.layout.unwrap_or_else(|| Layout::flat(len));
        layout.check(pass.operands()[0], len)?;
        let known = chain.map(Chain::operands).unwrap_or_default();
        let mut seen: Vec<(&str, bool)> = Vec::new();
        let all = |list: &[(&'a str, Operand<'a>, DType)],
                   seen: &mut Vec<(&'a str, bool)>,
                   grad: bool| {
            let mut placed = Vec::new();
            for (name, operand, dtype) in list {
                let called = if grad {
                    format!("d_{name}")
                } else {
                    (*name).to_owned()
                };
                if !known.contains(name) {
                    return Err(unexpected(pass, &called));
                }
                if seen.contains(&(*name, grad)) {
                    return Err(Error::GivenTwice { operand: called });
                }
                seen.push((*name, grad));
                let whose = layout.whose(&called, operand.len, len)?;
                let elementwise_only = chain.is_some_and(|chain| chain.is_elementwise(name));
                if elementwise_only && whose != Whose::Each {
                    return Err(layout.bad_length(&called, operand.len, vec![len]));
                }
                placed.push(Placed::new(called, *operand, *dtype, whose)?);
            }
            Ok(placed)
        };
        let args = all(&self.args, &mut seen, false)?;
        let grads = all(&self.grads, &mut seen, true)?;
        for grad in &grads {
            if pass != Pass::Backward {
                return Err(unexpected(pass, &grad.name));
            }
            let arg = args
                .iter()
                .find(|arg| grad.name.strip_prefix("d_") == Some(&arg.name));
            if let Some(arg) = arg {
                crate::error::same_length(
                    &arg.name,
                    arg.operand.len,
                    &grad.name,
                    grad.operand.len,
                )?;
            }
        }
        let has_output = placed.len() == pass.operands().len();
        let output = if has_output { placed.pop() } else { None };
        Ok(Given {
            inputs: placed,
            output,
            args,
            grads,
            layout,
            len,
        })
    }
}

fn unexpected(pass: Pass, operand: &str) -> Error {
    Error::UnexpectedOperand {
        pass,
        operand: operand.to_owned(),
    }
}

pub(crate) fn missing(pass: Pass, operand: &str) -> Error {
    Error::MissingOperand {
        pass,
        operand: operand.to_owned(),
    }
}

/// Operands that were checked.
pub(crate) struct Given<'a> {
    pub(crate) inputs: Vec<Placed<'a>>,
    pub(crate) output: Option<Placed<'a>>,
    pub(crate) args: Vec<Placed<'a>>,
    pub(crate) grads: Vec<Placed<'a>>,
    pub(crate) layout: Layout,
    pub(crate) len: u64,
}

/// An operand that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) name: String,
    pub(crate) operand: Operand<'a>,
    pub(crate) bytes: Range<u64>,
    pub(crate) dtype: DType,
    pub(crate) whose: Whose,
}

impl<'a> Placed<'a> {
    pub(crate) fn new(
        name: String,
        operand: Operand<'a>,
        dtype: DType,
        whose: Whose,
    ) -> Result<Self, Error> {
        let bytes = operand.bytes(&name, dtype)?;
        Ok(Placed {
            name,
            operand,
            bytes,
            dtype,
            whose,
        })
    }

    pub(crate) fn rows(&self) -> Option<Rows> {
        let rows = self.operand.rows;
        (rows.len != rows.stride).then_some(rows)
    }

    /// Whether the elements of the two are the same, one by one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.operand.memory == other.operand.memory
            && self.bytes == other.bytes
            && self.dtype == other.dtype
            && self.rows() == other.rows()
            && self.whose == Whose::Each
            && other.whose == Whose::Each
    }

    /// Whether no byte belongs to both.
    pub(crate) fn is_apart(&self, other: &Self) -> bool {
        let (a, b) = (&self.bytes, &other.bytes);
        if self.operand.memory != other.operand.memory
            || a.end <= b.start
            || b.end <= a.start
            || a.is_empty()
            || b.is_empty()
        {
            return true;
        }
        // Rows of one stride may lie in each other's gaps.
        match (self.rows(), other.rows()) {
            (Some(rows), Some(others)) => {
                let stride = rows.stride * self.dtype.size();
                let phase =
                    (b.start as i128 - a.start as i128).rem_euclid(i128::from(stride)) as u64;
                stride == others.stride * other.dtype.size()
                    && phase >= rows.len * self.dtype.size()
                    && phase + others.len * other.dtype.size() <= stride
            }
            _ => false,
        }
    }

    pub(crate) fn overlap(&self, other: &Self) -> Error {
        Error::Overlap {
            first: self.name.clone(),
            first_bytes: self.bytes.clone(),
            second: other.name.clone(),
            second_bytes: other.bytes.clone(),
        }
    }
}
