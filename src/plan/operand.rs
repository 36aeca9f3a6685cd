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

/// The bytes of words that hold so many pairs.
pub(crate) fn bytes_of_pairs(len: u64, size: u64) -> u64 {
    len.div_ceil(4).saturating_mul(8 * size)
}

/// Every other element.
const PAIRS: Rows = Rows { len: 1, stride: 2 };

/// Bytes that are loaded and stored at a time where pairs are.
pub(crate) const PAIR_WORD: u64 = 16;

impl<'a> Operand<'a> {
    /// `len` elements of memory from byte `offset` on. The offset must be a multiple of the element's size; nothing else
    /// is asked of it, but operands whose offsets are multiples of 4 elements, in memory with room for whole groups of 4,
    /// are read and written faster; fastest, on some adapters, where all are multiples of the device's
    /// `min_storage_buffer_offset_alignment`.
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
    /// Where two tensors alternate in one, `x[0::2]` and `x[1::2]`, each lies in rows of one element, `Rows { len: 1, stride: 2 }`,
    /// one from the first element on and the other from the second. Such pairs are read and written as they lie, fastest
    /// where the first of them begins at a multiple of 16 bytes.
    ///
    /// Rows whose lengths and strides are multiples of 4 elements are fastest. 16-bit results in rows that begin or end within
    /// 32 bits take a dispatch each.
    #[must_use]
    pub fn rows(mut self, rows: Rows) -> Self {
        let is_one = self.len == 0 || rows.len == rows.stride;
        let is_one = is_one || (rows.len == self.len && rows != PAIRS);
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

    /// The first byte of the pairs of a packed tensor whose elements alternate, and whether the operand's are the second ones.
    /// None where it lies in another way, or the pairs do not begin where words do.
    pub(crate) fn pairs(&self, size: u64) -> Option<(u64, bool)> {
        if self.rows != PAIRS {
            return None;
        }
        match self.offset % PAIR_WORD {
            0 => Some((self.offset, false)),
            rest if rest == size => Some((self.offset - size, true)),
            _ => None,
        }
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
        if row != stride && (row > stride || row == 0 || !self.len.is_multiple_of(row)) {
            return Err(Error::Operand(OperandError::BadRows {
                operand: name.to_owned(),
                len: self.len,
                row,
                stride,
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

    /// Whether rows begin or end within 32 bits.
    pub(crate) fn is_ragged(&self, dtype: DType) -> bool {
        let Rows { len: row, stride } = self.rows;
        let in_gaps = |value: u64| !(value % 4 * dtype.size()).is_multiple_of(4);
        row != stride && (in_gaps(row) || in_gaps(stride) || !self.offset.is_multiple_of(4))
    }

    /// The byte behind the last element, with elements of so many bytes; none where u64 cannot count it, or its word.
    fn last(&self, element: u64) -> Option<u64> {
        let Rows { len: row, stride } = self.rows;
        let elements = if row == stride {
            Some(self.len)
        } else {
            (self.len / row)
                .checked_sub(1)
                .and_then(|gaps| gaps.checked_mul(stride)?.checked_add(row))
        };
        let end = elements?.checked_mul(element)?.checked_add(self.offset)?;
        end.checked_next_multiple_of(4).and(Some(end))
    }
}
