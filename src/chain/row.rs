//! Functions of whole rows, and where in a chain they may stand.

use super::Chain;
use super::step::{Argument, Function, Step};
use crate::error::{ChainError, Error};
use crate::pass::Pass;
use crate::tensor::layout::Layout;
use std::ops::Range;

/// A function of whole rows: those along the channels of the [`Layout`](crate::Layout), whatever lies between them.
///
/// ```
/// use nonlin::{Chain, Row, Step};
///
/// let chain = Chain::new().scale(0.125).step(Step::causal(0)).step(Step::row(Row::Softmax)).dropout(0.1);
/// assert_eq!(chain, "scale(0.125) | causal(0) | softmax | dropout(0.1)".parse()?);
/// assert!("softmax | layer_norm".parse::<Chain>().is_err());
/// # Ok::<(), nonlin::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Row {
    /// e^(z - m) over the sum of these, m the largest z: torch.softmax. With a `sink`, the sum has e^(sink - m) too, as in
    /// gpt-oss; a sink of 0 is "softmax one". A row of nothing but -inf, wholly masked, gives zeros (PyTorch: NaN).
    Softmax,
    /// z - m less the logarithm of softmax's sum: torch.log_softmax. A row of nothing but -inf gives -inf.
    LogSoftmax,
    /// 1 where the row is largest, the first place if there are several, and 0 elsewhere: ONNX's Hardmax. It has no
    /// gradient.
    Hardmax,
    /// z over the root of the mean of z^2 + `eps`: torch.nn.RMSNorm, whose weight is a scale behind it.
    RmsNorm,
    /// z less its mean, over the root of the variance + `eps`: torch.nn.LayerNorm, whose weight and bias are steps behind
    /// it.
    LayerNorm,
}

impl Row {
    /// All of them.
    pub const ALL: [Row; 5] = [
        Row::Softmax,
        Row::LogSoftmax,
        Row::Hardmax,
        Row::RmsNorm,
        Row::LayerNorm,
    ];

    /// Whether masked elements mean something to it.
    fn takes_masks(self) -> bool {
        matches!(self, Row::Softmax | Row::LogSoftmax)
    }
}

/// Where in a chain's nodes its row step is: what stands before it, itself, and what stands behind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowPlace {
    pub(crate) row: Row,
    pub(crate) before: Range<usize>,
    /// The node that masks what is ahead.
    pub(crate) causal: Option<usize>,
    pub(crate) node: usize,
    pub(crate) behind: Range<usize>,
}

/// A step's function of rows.
pub(super) fn row_of(step: &Step) -> Option<Row> {
    match step.function() {
        Function::Row(row) => Some(*row),
        _ => None,
    }
}

impl Chain {
    /// The chain's function of whole rows, if it has one.
    pub fn row(&self) -> Option<Row> {
        self.steps().iter().find_map(row_of)
    }

    /// The axis that the text of a step over whole rows says these lie along, as in `softmax(axis=1)`; negative ones count
    /// from the end. It is for those who know x's shape and make the [`Layout`] of it: the library goes by that alone.
    pub fn axis(&self) -> Option<i64> {
        let mut steps = self.steps().iter();
        steps.find(|step| row_of(step).is_some())?.axis
    }

    /// How x's elements are grouped, where that may be said: without, they are of one channel, or of one row.
    pub(crate) fn laid_out(&self, given: Option<Layout>, len: u64) -> Layout {
        let one_row = Layout {
            outer: 1,
            channels: len,
            inner: 1,
        };
        given.unwrap_or(match self.row() {
            Some(_) => one_row,
            None => Layout::flat(len),
        })
    }

    /// The operand of the row step's parameter.
    pub(crate) fn row_parameter(&self) -> Option<&str> {
        let mut steps = self.steps().iter();
        let step = steps.find(|step| row_of(step).is_some())?;
        step.arguments().iter().find_map(|argument| match argument {
            Argument::Operand(name) => Some(name.as_str()),
            _ => None,
        })
    }

    pub(crate) fn row_place(&self) -> Option<RowPlace> {
        let row = self.row()?;
        let nodes = self.nodes();
        // Its argument is no branch, so that nothing stands between it and the steps before it.
        let node = nodes.iter().position(|node| row_of(node.step).is_some())?;
        let before = node.checked_sub(1);
        let causal = before.filter(|index| *nodes[*index].step.function() == Function::Causal);
        Some(RowPlace {
            row,
            before: 0..causal.unwrap_or(node),
            causal,
            node,
            behind: node + 1..nodes.len(),
        })
    }

    /// Refuses more than one row step, and masks that no row step takes.
    pub(super) fn validate_rows(&self) -> Result<(), Error> {
        let misplaced = |index: usize, problem: &'static str| {
            Err(Error::Chain(ChainError::Misplaced {
                step: index + 1,
                name: self.steps()[index].name().to_owned(),
                problem,
            }))
        };
        let mut found = false;
        for (index, step) in self.steps().iter().enumerate() {
            if row_of(step).is_some() {
                if found {
                    return misplaced(index, "a chain has one step over whole rows at most");
                }
                found = true;
            }
            let next = self.steps().get(index + 1).and_then(row_of);
            if *step.function() == Function::Causal && !next.is_some_and(Row::takes_masks) {
                return misplaced(index, "it stands right before softmax or log_softmax");
            }
            for branch in step
                .arguments()
                .iter()
                .filter_map(|argument| match argument {
                    Argument::Branch(branch) => Some(branch.chain()),
                    _ => None,
                })
            {
                if !branch.is_elementwise() {
                    return misplaced(index, "a branch has no step over whole rows");
                }
            }
        }
        Ok(())
    }

    /// Refuses a step over whole rows where there can be none.
    pub(crate) fn refuse_rows(&self, problem: &'static str) -> Result<(), Error> {
        let index = self.steps().iter().position(|step| row_of(step).is_some());
        index.map_or(Ok(()), |index| {
            Err(Error::Chain(ChainError::Misplaced {
                step: index + 1,
                name: self.steps()[index].name().to_owned(),
                problem,
            }))
        })
    }

    /// Whether every step, those of branches too, goes element by element.
    fn is_elementwise(&self) -> bool {
        let mut nodes = self.nodes().into_iter();
        nodes.all(|node| !matches!(node.step.function(), Function::Row(_) | Function::Causal))
    }
}

impl Chain {
    /// Whether a pass can be had of a chain with a step over whole rows.
    pub(super) fn supports_rows(&self, pass: Pass, place: &RowPlace) -> Result<(), Error> {
        if pass == Pass::Forward {
            return Ok(());
        }
        let nodes = self.nodes();
        let needs_input = |index: usize, why: &str| {
            Err(Error::Chain(ChainError::NeedsInput {
                name: nodes[index].step.name().to_owned(),
                why: why.to_owned(),
            }))
        };
        if place.row == Row::Hardmax {
            return Err(Error::Chain(ChainError::NoGradient {
                operand: "x".into(),
                why: "hardmax is constant wherever it has a derivative".into(),
            }));
        }
        if pass == Pass::Backward {
            return Ok(());
        }
        if !place.row.takes_masks() {
            return needs_input(place.node, "its value has lost the rows' sizes");
        }
        if !place.behind.is_empty() {
            return needs_input(
                place.behind.start,
                "it stands behind a step over whole rows",
            );
        }
        for index in place.before.clone() {
            let node = &nodes[index];
            let is_constant = node.step.arguments().iter().all(|a| a.constant().is_some());
            let is_linear = matches!(node.step.function(), Function::Scale | Function::Bias);
            if !(is_linear && is_constant) {
                return needs_input(index, "softmax's value does not say what it was applied to");
            }
        }
        Ok(())
    }
}
