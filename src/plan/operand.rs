//! Operands: ranges of elements in memory.

use super::memory::Memory;
use crate::error::Error;
use crate::tensor::dtype::DType;
use std::ops::Range;

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
    /// `len` elements of memory from byte `offset` on. The offset must be a multiple of the element's size; nothing else
    /// is asked of it, but operands whose offsets are multiples of 4 elements, in memory with room for whole groups of 4,
    /// are read and written faster.
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
    /// `rows_in_memory(memory, offset, n, h, 2 * h)` and the same from h elements further on.
    ///
    /// Rows of f16 or bf16 begin and end at whole 32-bit words; multiples of 4 elements are faster.
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

    /// Elements in a row, and from one to the next.
    pub(crate) fn in_rows(&self) -> Rows {
        self.rows
    }

    /// Checks the operand against its memory and returns the bytes from its first element to its last.
    pub(crate) fn bytes(&self, name: &str, dtype: DType) -> Result<Range<u64>, Error> {
        if let Some(usage) = self.memory.lacks_storage() {
            return Err(Error::MissingUsage {
                operand: name.to_owned(),
                usage,
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
        match self.end(alignment) {
            Some(end) if end <= size => Ok(offset..end),
            end => Err(Error::OutOfRange {
                operand: name.to_owned(),
                offset,
                end: end.unwrap_or(u64::MAX),
                size,
            }),
        }
    }

    /// The byte behind the last element, with elements of so many bytes; none where u64 cannot count it.
    fn end(&self, element: u64) -> Option<u64> {
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
