//! Slots: the operands of a chain's kernels, and which of them take each other's places.

use super::placed::{Given, Placed, missing};
use super::task::Task;
use crate::error::Error;
use crate::tensor::layout::Whose;
use crate::wgsl::{self, At, Input, Output};

/// An operand of a kernel, element by element or with values that elements share. What the text says of it, its numbers
/// and its binding all follow from this.
pub(super) struct Slot<'a> {
    /// Its variable in the kernel: `x`, `dy` or `arg_w` if it is read; `y`, `dx` or `d_w` if it is written.
    pub(super) variable: String,
    pub(super) placed: Placed<'a>,
    /// The input, by index, whose place it takes; of what is written alone.
    pub(super) in_place: Option<usize>,
    /// Of what is read and of what is written: the slot before, by index, that it alternates with.
    pub(super) beside: Option<usize>,
}

impl<'a> Slot<'a> {
    fn read(variable: String, placed: Placed<'a>) -> Self {
        Slot {
            variable,
            placed,
            in_place: None,
            beside: None,
        }
    }

    /// What the text says of an operand that is read. Only four pairs at a time share a binding.
    pub(super) fn input(&self, at: At) -> Input {
        Input {
            name: self.variable.clone(),
            dtype: self.placed.dtype,
            at,
            beside: self.beside.filter(|_| matches!(at, At::Even | At::Odd)),
            has_periods: false,
            like: None,
        }
    }

    /// What the text says of an operand that is written.
    pub(super) fn output(&self, at: At) -> Output {
        Output {
            name: self.variable.clone(),
            dtype: self.placed.dtype,
            at,
            in_place: self.in_place,
            beside: self.beside.filter(|_| matches!(at, At::Even | At::Odd)),
        }
    }
}

/// The slot, by index, that an operand alternates with.
fn beside(slots: &[Slot<'_>], placed: &Placed<'_>) -> Option<usize> {
    let mut slots = slots.iter();
    slots.position(|slot| slot.beside.is_none() && slot.placed.alternates_with(placed))
}

/// The operands of a pass.
pub(super) struct Slots<'a> {
    pub(super) inputs: Vec<Slot<'a>>,
    /// What the pass writes, as far as it is wanted, and gradients as long as x.
    pub(super) outputs: Vec<Slot<'a>>,
    /// Gradients that are summed.
    pub(super) sums: Vec<Placed<'a>>,
}

impl<'a> Slots<'a> {
    /// Takes of the arguments' operands those that the pass reads.
    pub(super) fn new(task: &Task, given: Given<'a>) -> Result<Self, Error> {
        let asked = given.grads.iter();
        let asked: Vec<_> = asked.filter_map(|g| g.name.strip_prefix("d_")).collect();
        let passed = given.inputs.into_iter();
        let mut slots = Slots {
            inputs: passed.map(|p| Slot::read(p.name.clone(), p)).collect(),
            outputs: Vec::new(),
            sums: Vec::new(),
        };
        for name in task.body().needs(&asked) {
            let placed = given.args.iter().find(|arg| arg.name == name);
            let placed = placed.ok_or_else(|| missing(task.pass, &format!("@{name}")))?;
            let mut slot = Slot::read(wgsl::arg(&name), placed.clone());
            slot.beside = beside(&slots.inputs, placed);
            slots.inputs.push(slot);
        }
        let (each, sums): (Vec<_>, Vec<_>) = given
            .grads
            .into_iter()
            .partition(|grad| grad.whose == Whose::Each);
        for placed in given.outputs.into_iter().chain(each) {
            slots.write(placed)?;
        }
        for placed in sums {
            slots.sum(placed)?;
        }
        Ok(slots)
    }

    /// Adds an output: apart from all others, or exactly in the place of inputs that no other output takes.
    fn write(&mut self, placed: Placed<'a>) -> Result<(), Error> {
        let mut in_place = None;
        for (index, input) in self.inputs.iter().enumerate() {
            let input = &input.placed;
            if input.is_apart(&placed) {
                continue;
            }
            let is_taken = self.outputs.iter().any(|o| o.in_place == Some(index));
            if is_taken || !input.is_same(&placed) {
                return Err(input.overlap(&placed));
            }
            // x may be an operand's place too: its own gate.
            in_place.get_or_insert(index);
        }
        let mut others = self.outputs.iter().map(|output| &output.placed);
        if let Some(other) = others.find(|other| !other.is_apart(&placed)) {
            return Err(other.overlap(&placed));
        }
        self.outputs.push(Slot {
            variable: placed.name.clone(),
            beside: beside(&self.outputs, &placed),
            placed,
            in_place,
        });
        Ok(())
    }

    /// Adds a gradient that is summed: apart from all others.
    fn sum(&mut self, placed: Placed<'a>) -> Result<(), Error> {
        let slots = self.inputs.iter().chain(&self.outputs);
        let mut others = slots.map(|slot| &slot.placed).chain(&self.sums);
        if let Some(other) = others.find(|other| !other.is_apart(&placed)) {
            return Err(other.overlap(&placed));
        }
        self.sums.push(placed);
        Ok(())
    }
}
