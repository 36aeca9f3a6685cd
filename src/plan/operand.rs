//! Operands: ranges of elements in memory.

use super::memory::Memory;
use crate::error::{Error, OperandError};
use crate::tensor::dtype::DType;
use std::ops::Range;

/// A range of elements in memory.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    memory: Memory<'a>,
    end: u64,
    offset: u64,
    len: u64,
    rows: Rows,
}

/// How elements lie in rows: a part of a packed tensor's last axis. Elements without gaps are one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Elements in a row.
    pub len: u64,
    /// Elements from the beginning of a row to that of the next.
    pub stride: u64,
}

impl<'a> Operand<'a> {
    /// `len` elements of memory from byte `offset` on. The offset must be a multiple of the element's size; nothing else
    /// is asked of it, but operands whose offsets are multiples of 4 elements, in memory with room for whole groups of 4,
    /// are read and written faster.
    pub fn in_memory(memory: Memory<'a>, offset: u64, len: u64) -> Self {
        Self::within(memory, memory.size(), offset, len)
    }

    /// The same, of the memory's bytes below `end`.
    pub(crate) fn within(memory: Memory<'a>, end: u64, offset: u64, len: u64) -> Self {
        let rows = Rows { len, stride: len };
        Operand {
            memory,
            end,
            offset,
            len,
            rows,
        }
    }

    /// The same elements in rows with gaps between them. The halves of a tensor of n rows whose last axis is `2 h` are
    /// `n * h` elements in rows of `Rows { len: h, stride: 2 * h }`, one from the first element on and the other from
    /// element h.
    ///
    /// Rows of f16 or bf16 begin and end at whole 32-bit words; multiples of 4 elements are faster.
    #[must_use]
    pub fn rows(mut self, rows: Rows) -> Self {
        let is_one = self.len == 0 || rows.len == self.len || rows.len == rows.stride;
        let len = self.len;
        self.rows = if is_one {
            Rows { len, stride: len }
        } else {
            rows
        };
        self
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

    /// The bytes of the memory that it may use end here.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// How its elements lie.
    pub(crate) fn in_rows(&self) -> Rows {
        self.rows
    }

    /// Checks the operand against its memory and returns the bytes from its first element to its last.
    pub(crate) fn bytes(&self, name: &str, dtype: DType) -> Result<Range<u64>, Error> {
        if let Some(usage) = self.memory.lacks_storage() {
            return Err(Error::Operand(OperandError::MissingUsage {
                operand: name.to_owned(),
                usage,
            }));
        }
        let (offset, alignment) = (self.offset, dtype.size());
        if !offset.is_multiple_of(alignment) {
            return Err(Error::Operand(OperandError::Misaligned {
                operand: name.to_owned(),
                offset,
                alignment,
            }));
        }
        let Rows { len: row, stride } = self.rows;
        let in_gaps = |value: u64| !(value * alignment).is_multiple_of(4);
        if row != stride && (row > stride || row == 0 || !self.len.is_multiple_of(row)) {
            return Err(Error::Operand(OperandError::BadRows {
                operand: name.to_owned(),
                len: self.len,
                row,
                stride,
            }));
        }
        if row != stride && (in_gaps(row) || in_gaps(stride) || !offset.is_multiple_of(4)) {
            return Err(Error::Operand(OperandError::OddRows {
                operand: name.to_owned(),
                dtype,
                row,
                stride,
                offset,
            }));
        }
        let size = self.end;
        match self.last(alignment) {
            Some(end) if end <= size => Ok(offset..end),
            end => Err(Error::Operand(OperandError::OutOfRange {
                operand: name.to_owned(),
                offset,
                end: end.unwrap_or(u64::MAX),
                size,
            })),
        }
    }

    /// The byte behind the last element, with elements of so many bytes; none where u64 cannot count it.
    fn last(&self, element: u64) -> Option<u64> {
        let Rows { len: row, stride } = self.rows;
        let elements = if row == stride {
            Some(self.len)
        } else {
            (self.len / row)
                .checked_sub(1)
                .and_then(|gaps| gaps.checked_mul(stride)?.checked_add(row))
        };
        elements?.checked_mul(element)?.checked_add(self.offset)
    }
}
