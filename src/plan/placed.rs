//! Operands that were checked: which bytes they have, and whose their values are.

use super::operand::{Operand, Rows, bytes_of_pairs};
use crate::error::{Error, OperandError};
use crate::pass::Pass;
use crate::tensor::dtype::DType;
use crate::tensor::layout::{Layout, Whose};
use std::ops::Range;

/// Operands that were checked.
pub(crate) struct Given<'a> {
    pub(crate) inputs: Vec<Placed<'a>>,
    /// None where gradients of operands are asked for without dx.
    pub(crate) outputs: Vec<Placed<'a>>,
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
        let rows = self.operand.in_rows();
        (rows.len != rows.stride).then_some(rows)
    }

    /// Whether its rows begin or end within 32 bits.
    pub(crate) fn is_ragged(&self) -> bool {
        self.operand.is_ragged(self.dtype)
    }

    /// Where its pairs begin, and whether its elements are the second ones, if it alternates with another and kernels can
    /// take four of its elements at a time.
    pub(crate) fn pairs(&self) -> Option<(u64, bool)> {
        let size = self.dtype.size();
        let (first, odd) = self.operand.pairs(size)?;
        let end = first.saturating_add(bytes_of_pairs(self.operand.len(), size));
        let is_there = end <= self.operand.end();
        is_there.then_some((first, odd))
    }

    /// Whether the two alternate in one tensor.
    pub(crate) fn alternates_with(&self, other: &Self) -> bool {
        let pairs = self.pairs().zip(other.pairs());
        self.operand.memory() == other.operand.memory()
            && self.dtype == other.dtype
            && self.operand.len() == other.operand.len()
            && pairs.is_some_and(|((a, odd), (b, other))| a == b && odd != other)
    }

    /// Whether the elements of the two are the same, one by one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.operand.memory() == other.operand.memory()
            && self.bytes == other.bytes
            && self.dtype == other.dtype
            && self.rows() == other.rows()
            && self.whose == Whose::Each
            && other.whose == Whose::Each
    }

    /// Whether no byte belongs to both.
    pub(crate) fn is_apart(&self, other: &Self) -> bool {
        let (a, b) = (&self.bytes, &other.bytes);
        if self.operand.memory() != other.operand.memory()
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
        Error::Operand(OperandError::Overlap {
            first: self.name.clone(),
            first_bytes: self.bytes.clone(),
            second: other.name.clone(),
            second_bytes: other.bytes.clone(),
        })
    }
}

pub(crate) fn unexpected(pass: Pass, operand: &str) -> Error {
    Error::Operand(OperandError::Unexpected {
        pass,
        operand: operand.to_owned(),
    })
}

pub(crate) fn missing(pass: Pass, operand: &str) -> Error {
    Error::Operand(OperandError::Missing {
        pass,
        operand: operand.to_owned(),
    })
}
