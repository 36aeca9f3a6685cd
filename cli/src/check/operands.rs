//! `nonlin check` on chains with operands or random steps: on a shape, with all gradients.

use super::found::{Checked, Comparison};
use crate::Result;
use crate::seeded::noise;
use crate::subject::{Lengths, Spread, Taken, is_elementwise, taken};
use nonlin::check::{self, Expected};
use nonlin::{Chain, Element, Gpu, Layout, Pass, Values};

/// The shape, if --shape is not given: some samples and channels, long enough for several workgroups.
pub(super) const SHAPE: [u64; 3] = [4, 16, 1024];

/// The same of a step over whole rows, which are the channels.
pub(super) const ROWS: [u64; 3] = [32, 1000, 1];

/// A chain, and what it is compared on.
pub(super) struct Job {
    chain: Chain,
    shape: Lengths,
    layout: Layout,
    /// How many values each operand has.
    operands: Vec<(String, u64)>,
}

impl Job {
    pub(super) fn new(chain: Chain, shape: Lengths, given: &[Spread]) -> Result<Self> {
        let layout = shape.layout()?;
        Ok(Job {
            operands: Spread::lengths(&chain, layout, given)?,
            chain,
            shape,
            layout,
        })
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    pub(super) fn elements(&self) -> u64 {
        self.layout.outer * self.layout.channels * self.layout.inner
    }

    /// y, dx and the gradient of each operand that has one.
    pub(super) fn compare<T: Element>(&self, gpu: &Gpu, seed: u64) -> Result<Vec<Checked>> {
        let chain = &self.chain;
        let stored = |value: f32| T::from_f64(f64::from(value));
        let (x, dy): (Vec<T>, Vec<T>) = (0..self.elements())
            .map(|i| (stored(4.0 * noise(seed, 0, i)), stored(noise(seed, 1, i))))
            .unzip();
        let mut values = Values::new().layout(self.layout).random(seed, 0);
        for ((name, len), tensor) in self.operands.iter().zip(2..) {
            let value = |i| stored(about(chain, name, noise(seed, tensor, i)));
            let data: Vec<T> = (0..*len).map(value).collect();
            values = values.arg(name, &data);
        }
        let mut all = Vec::new();
        let mut add = |pass, tensor: &str, report| {
            all.push(Checked {
                subject: chain.to_string(),
                shape: Some(self.shape.to_string()),
                order: None,
                pass,
                tensor: Some(tensor.to_owned()),
                comparison: Comparison::Elements(report),
            });
        };
        let y = gpu.forward_with(chain, &x, &values)?;
        let expected = Expected::forward_with(chain, &x, &values)?;
        add(Pass::Forward, "y", expected.compare(&y)?);
        if chain.supports(Pass::Backward).is_err() {
            return Ok(all);
        }
        let names = chain.learnable();
        let (dx, gradients) = gpu.backward_with(chain, &x, &dy, &values, &names)?;
        let expected = Expected::backward_with(chain, &x, &dy, &values)?;
        add(Pass::Backward, "dx", expected.compare(&dx)?);
        if chain.supports(Pass::BackwardFromY).is_ok() {
            let dx = gpu.backward_from_y_with(chain, &y, &dy, &values)?;
            let expected = Expected::backward_from_y_with(chain, &y, &dy, &values)?;
            add(Pass::BackwardFromY, "dx", expected.compare(&dx)?);
        }
        if chain.supports(Pass::DoubleBackward).is_ok() {
            let ddx: Vec<T> = dy.iter().rev().copied().collect();
            let results = gpu.double_backward_with(chain, &x, &dy, &ddx, &values)?;
            let expected = Expected::double_backward_with(chain, &x, &dy, &ddx, &values)?;
            let both = expected.iter().zip(&results);
            for ((expected, result), name) in both.zip(Pass::DoubleBackward.outputs()) {
                add(Pass::DoubleBackward, name, expected.compare(result)?);
            }
        }
        for (name, gradient) in names.iter().zip(&gradients) {
            let report = check::gradient(chain, &x, &dy, &values, name, gradient)?;
            add(Pass::Backward, name, report);
        }
        Ok(all)
    }
}

/// A value for an operand, from a number between -1 and 1: of a gate, residual or branch, that; of an argument, about its
/// default, which suits every function; where there is none, about one; where that is zero, about zero.
fn about(chain: &Chain, name: &str, noise: f32) -> f32 {
    let mut all = taken(chain).into_iter();
    let found = all.find(|taken| taken.name == name);
    // What a branch begins with is an x of its own.
    if is_elementwise(chain, name) || found.as_ref().is_some_and(|taken| taken.has_steps) {
        return 1.5 * noise;
    }
    let default = |taken: Taken<'_>| taken.step.function().defaults()[taken.parameter];
    match found.map(|taken| default(taken).unwrap_or(1.0)) {
        // A sink, whose default is that there is none.
        None | Some(0.0 | f32::NEG_INFINITY) => 0.25 * noise,
        Some(default) => default * (1.0 + 0.25 * noise),
    }
}
