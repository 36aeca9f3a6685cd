//! The operands of a chain's pass, as they are given and as they are checked.

use super::operand::Operand;
use super::placed::{Given, Placed, missing, unexpected};
use crate::chain::Chain;
use crate::error::{Error, OperandError, same_length};
use crate::pass::Pass;
use crate::tensor::dtype::{DType, DTypes};
use crate::tensor::layout::{Broadcast, Layout, Whose};

/// The operands of one pass, as [`Pass::operands`] names them: x and y forward; x, dy and dx backward; and those of
/// arguments.
#[derive(Clone, Debug, Default)]
pub struct Operands<'a> {
    passed: [Option<Operand<'a>>; 6],
    args: Vec<(&'a str, Operand<'a>, DType)>,
    grads: Vec<(&'a str, Operand<'a>, DType)>,
    layout: Option<Layout>,
    pub(super) random: [u64; 2],
    pub(super) queries: Option<u64>,
    broadcasts: Vec<(&'a str, Broadcast)>,
}

/// The names of the passes' operands.
const PASSED: [&str; 6] = ["x", "y", "dy", "dx", "ddx", "ddy"];

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

    /// The gradient with respect to dx, which double backward reads.
    #[must_use]
    pub fn ddx(self, operand: Operand<'a>) -> Self {
        self.passed(4, operand)
    }

    /// The gradient with respect to dy, which double backward writes.
    #[must_use]
    pub fn ddy(self, operand: Operand<'a>) -> Self {
        self.passed(5, operand)
    }

    /// The operand of an argument, `@name` in text. Its length says whose its values are: as long as x,
    /// one for each element; 1, one for all; with a [`layout`](Self::layout), as many as channels, one
    /// for each channel; as samples and channels, one for each of these.
    #[must_use]
    pub fn arg(mut self, name: &'a str, operand: Operand<'a>, dtype: DType) -> Self {
        self.args.push((name, operand, dtype));
        self
    }

    /// Says how the values of an argument, and so those of its gradient, are spread over x, where its length does not: a mask
    /// for all heads, a value for each head.
    #[must_use]
    pub fn broadcast(mut self, name: &'a str, broadcast: Broadcast) -> Self {
        self.broadcasts.push((name, broadcast));
        self
    }

    /// How many rows, along the layout's channels, a matrix has whose rows `causal` masks by their number. Without it, all
    /// rows are of one.
    #[must_use]
    pub fn queries(mut self, rows: u64) -> Self {
        self.queries = Some(rows);
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
    /// [`Bound::set_random`](crate::Bound::set_random) changes both of what is bound.
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
        dtypes: DTypes,
    ) -> Result<Given<'a>, Error> {
        let mut inputs = self.placed_of_pass(pass, dtypes)?;
        let len = inputs.first().map_or(0, |x| x.operand.len());
        let layout = match chain {
            Some(chain) => chain.laid_out(self.layout, len),
            None => Layout::flat(len),
        };
        layout.check(pass.operands()[0], len)?;
        let arguments = Arguments {
            chain,
            pass,
            layout,
            len,
            broadcasts: &self.broadcasts,
        };
        let args = arguments.placed(&self.args, "")?;
        let grads = arguments.placed(&self.grads, "d_")?;
        for grad in &grads {
            if pass != Pass::Backward {
                return Err(unexpected(pass, &grad.name));
            }
            let of = |arg: &&Placed<'_>| grad.name.strip_prefix("d_") == Some(&arg.name);
            if let Some(arg) = args.iter().find(of) {
                let [a, b] = [arg, grad].map(|placed| placed.operand.len());
                same_length(&arg.name, a, &grad.name, b)?;
            }
        }
        let outputs = inputs.split_off(pass.parts().0.len());
        Ok(Given {
            inputs,
            outputs,
            args,
            grads,
            layout,
            len,
        })
    }

    /// The pass's own operands, in its order. dx may be missing where other gradients are asked for.
    fn placed_of_pass(&self, pass: Pass, dtypes: DTypes) -> Result<Vec<Placed<'a>>, Error> {
        for (operand, value) in PASSED.iter().zip(self.passed) {
            if value.is_some() && !pass.operands().contains(operand) {
                return Err(unexpected(pass, operand));
            }
        }
        let mut placed: Vec<Placed<'a>> = Vec::with_capacity(5);
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
                same_length(&first.name, first.operand.len(), name, operand.len())?;
            }
            let dtype = dtypes.of(name);
            placed.push(Placed::new(
                (*name).to_owned(),
                operand,
                dtype,
                Whose::Each,
            )?);
        }
        Ok(placed)
    }
}

/// What the operands of arguments, and their gradients, are checked against.
struct Arguments<'c> {
    chain: Option<&'c Chain>,
    pass: Pass,
    layout: Layout,
    len: u64,
    broadcasts: &'c [(&'c str, Broadcast)],
}

impl Arguments<'_> {
    /// Checks the operands of arguments, or, with the prefix `d_`, their gradients.
    fn placed<'a>(
        &self,
        list: &[(&'a str, Operand<'a>, DType)],
        prefix: &str,
    ) -> Result<Vec<Placed<'a>>, Error> {
        let known = self.chain.map(Chain::operands).unwrap_or_default();
        let mut placed = Vec::new();
        for (index, (name, operand, dtype)) in list.iter().enumerate() {
            let called = format!("{prefix}{name}");
            if !known.contains(name) {
                return Err(unexpected(self.pass, &called));
            }
            if list[..index].iter().any(|(other, ..)| other == name) {
                return Err(Error::Operand(OperandError::GivenTwice { operand: called }));
            }
            let given = self.broadcasts.iter().find(|(known, _)| known == name);
            let given = given.map(|(_, broadcast)| *broadcast);
            let whose = self.layout.whose(&called, operand.len(), self.len, given)?;
            let checked = Placed::new(called, *operand, *dtype, whose)?;
            if whose != Whose::Each && checked.rows().is_some() {
                // Kernels find a channel's value by its number alone.
                return Err(Error::Operand(OperandError::Gaps {
                    operand: checked.name,
                }));
            }
            placed.push(checked);
        }
        Ok(placed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::memory::Memory;
    use crate::plan::operand::Rows;

    /// Values that elements share are read, and their gradients written, one behind the other.
    #[test]
    fn shared_values_have_no_gaps() {
        let at = |id| Memory::External { id, size: 1 << 12 };
        let flat = |id, len| Operand::in_memory(at(id), 0, len);
        let gaps = |id| Operand::in_memory(at(id), 0, 8).rows(Rows { len: 2, stride: 6 });
        let chain: Chain = "scale(@s)".parse().unwrap();
        let operands = Operands::new()
            .x(flat(0, 32))
            .dy(flat(1, 32))
            .dx(flat(2, 32))
            .layout(Layout {
                outer: 4,
                channels: 8,
                inner: 1,
            });
        let told = |operands: Operands<'_>| {
            let given = operands.placed(Some(&chain), Pass::Backward, DType::F32.into());
            given.map(|given| given.grads.len())
        };
        let refused = |operand: &str| {
            Err(Error::Operand(OperandError::Gaps {
                operand: operand.into(),
            }))
        };
        let argument = operands.clone().arg("s", gaps(3), DType::F32);
        assert_eq!(told(argument), refused("s"));
        let operands = operands.arg("s", flat(3, 8), DType::F32);
        let gradient = operands.clone().grad("s", gaps(4), DType::F32);
        assert_eq!(told(gradient), refused("d_s"));
        let gradient = operands.grad("s", flat(4, 8), DType::F32);
        assert_eq!(told(gradient), Ok(1));
    }
}
