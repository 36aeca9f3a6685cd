//! Packed tensors: x and the gate in one file, along its last axis.

use crate::arguments::Named;
use crate::npy::{Array, Order, Shape};
use crate::{Failure, Result};
use clap::ValueEnum;
use nonlin::{Chain, Element};
use std::path::Path;

/// How x and the gate lie along the last axis.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Arrangement {
    /// x is the first half, the gate the second
    Halves,
    /// The gate is the first half, x the second
    Swapped,
    /// They alternate, x first
    Alternating,
}

/// A packed tensor, and which operand is the other part of it.
pub(super) struct Packed<'a> {
    how: Arrangement,
    /// The operand.
    pub(super) gate: &'a str,
    /// Of the whole.
    pub(super) shape: Shape,
}

impl<'a> Packed<'a> {
    /// The one operand that no file is given for.
    pub(super) fn gate(chain: &'a Chain, arguments: &[Named]) -> Result<&'a str> {
        let operands = chain.operands().into_iter();
        let is_missing = |name: &&str| arguments.iter().all(|argument| argument.name != *name);
        let missing: Vec<_> = operands.filter(is_missing).collect();
        match missing[..] {
            [gate] => Ok(gate),
            _ => Err(Failure(format!(
                "--packed is for chains with one operand more than there are files of --arg, such as \
                 swiglu; {chain} has {} more",
                missing.len()
            ))),
        }
    }

    /// Takes x and the gate, both in C order, out of a file's array.
    pub(super) fn split<T: Element>(
        how: Arrangement,
        gate: &'a str,
        file: &Path,
        array: Array<T>,
    ) -> Result<(Self, Vec<T>, Vec<T>)> {
        let shape = array.shape.clone();
        let Some(last) = shape
            .dimensions
            .last()
            .filter(|last| last.is_multiple_of(2))
        else {
            return Err(Failure(format!(
                "--packed: {} has the shape {}, whose last axis is not of an even length",
                file.display(),
                shape.text()
            )));
        };
        // What was read is in memory, so that lengths fit.
        let half = (*last / 2).max(1) as usize;
        let data = array.in_order(Order::C).data;
        let (mut x, mut other) = (Vec::new(), Vec::new());
        for row in data.chunks(2 * half) {
            match how {
                Arrangement::Halves => {
                    x.extend(&row[..half]);
                    other.extend(&row[half..]);
                }
                Arrangement::Swapped => {
                    other.extend(&row[..half]);
                    x.extend(&row[half..]);
                }
                Arrangement::Alternating => {
                    x.extend(row.iter().step_by(2));
                    other.extend(row.iter().skip(1).step_by(2));
                }
            }
        }
        Ok((Packed { how, gate, shape }, x, other))
    }

    /// The shape of x and of y.
    pub(super) fn half(&self) -> Shape {
        let mut shape = self.shape.clone();
        if let Some(last) = shape.dimensions.last_mut() {
            *last /= 2;
        }
        shape
    }

    /// The other way round: gradients of both, in C order, as their tensor has them.
    pub(super) fn join<T: Element>(&self, x: &[T], gate: &[f32]) -> Vec<T> {
        let half = self.half().dimensions.last().copied().unwrap_or(1).max(1) as usize;
        let gate: Vec<T> = gate.iter().map(|v| T::from_f64(f64::from(*v))).collect();
        let mut all = Vec::with_capacity(2 * x.len());
        for (x, gate) in x.chunks(half).zip(gate.chunks(half)) {
            match self.how {
                Arrangement::Halves => all.extend(x.iter().chain(gate)),
                Arrangement::Swapped => all.extend(gate.iter().chain(x)),
                Arrangement::Alternating => {
                    all.extend(x.iter().zip(gate).flat_map(|(x, gate)| [x, gate]));
                }
            }
        }
        all
    }
}
