//! What is to be computed, on no operands yet.

use super::launch::Launches;
use super::limits::Machine;
use super::operands::Operands;
use super::placed::Given;
use super::work::Work;
use crate::chain::Chain;
use crate::error::Error;
use crate::pass::Pass;
use crate::tensor::dtype::DTypes;
use crate::wgsl::Body;

/// A pass of a chain, with the dtypes of the pass's own operands.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// None for a plain copy.
    pub(crate) chain: Option<Chain>,
    pub(crate) pass: Pass,
    pub(crate) dtypes: DTypes,
}

impl Task {
    /// The pass of a chain, if there can be such a one.
    pub(crate) fn of_chain(chain: &Chain, pass: Pass, dtypes: DTypes) -> Result<Self, Error> {
        chain.validate()?;
        chain.supports(pass)?;
        Ok(Task {
            chain: Some(chain.clone()),
            pass,
            dtypes,
        })
    }

    /// Whether the chain has a step over whole rows.
    pub(crate) fn is_over_rows(&self) -> bool {
        self.chain
            .as_ref()
            .is_some_and(|chain| chain.row().is_some())
    }

    pub(crate) fn body(&self) -> Body<'_> {
        match &self.chain {
            Some(chain) => Body::Chain(chain, self.pass),
            None => Body::Copy(self.pass),
        }
    }

    /// Checks the operands, and says what is to be dispatched, and for how many elements.
    pub(crate) fn launches<'a>(
        &'a self,
        machine: &'a Machine,
        operands: &Operands<'a>,
    ) -> Result<(Launches<'a>, u64), Error> {
        let given = operands.placed(self.chain.as_ref(), self.pass, self.dtypes)?;
        self.refuse_gradients(&given)?;
        let work = Work::new(self, machine, given, operands)?;
        if work.len == 0 {
            return Ok((Launches::default(), 0));
        }
        Ok((work.launches()?, work.len))
    }

    /// Refuses gradients that there are no functions for.
    fn refuse_gradients(&self, given: &Given<'_>) -> Result<(), Error> {
        let Some(chain) = &self.chain else {
            return Ok(());
        };
        for grad in &given.grads {
            let name = grad.name.strip_prefix("d_").unwrap_or_default();
            if !chain.learnable().contains(&name) {
                return Err(Error::no_derivative(name));
            }
        }
        Ok(())
    }
}
