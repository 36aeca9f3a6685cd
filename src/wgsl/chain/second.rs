//! Double backward: the backward pass, dx = dy f_1' f_2' ... f_n' for steps f_1 to f_n, gone through backward itself.
//!
//! It is linear in dy, so that the gradient with respect to dy is what ddx, the gradient with respect to dx, becomes on its way
//! forward through the steps: the tangent t_1 = ddx, t_(i+1) = f_i' t_i. With respect to x it is a sum of one term for each step,
//! each of which depends on x by its derivative: f_i'' times the tangent before the step, times the gradient g_i behind it, and
//! that times the derivatives of all steps before. So the sum is gathered on the way back, beside the gradient:
//! h_(i-1) = f_i' h_i + f_i'' t_i g_i, with h_n = 0. Operands are constants here, and branches hold nothing that depends on x.

use super::{ChainCode, Gradient};
use crate::act::Second;
use crate::chain::nodes::{Source, path};
use crate::chain::step::Function;
use std::fmt::Write;

/// The name of the function, `chain_second`, which returns a struct of the pass's results.
pub(in crate::wgsl) const SECOND: &str = "second";

/// What a step's second derivative is, as far as kernels need to know.
enum Bend {
    Zero,
    /// A function, and whether it is zero in some region.
    Is(bool),
}

impl ChainCode<'_> {
    pub(super) fn double_backward(&mut self) {
        let nodes = path(&self.nodes, Source::X);
        let steps: Vec<usize> = nodes.into_iter().map(|(index, _)| index).collect();
        let mut tangents = vec![Gradient {
            text: "ddx".to_owned(),
            born: false,
        }];
        for index in &steps {
            let next = self.of_value(*index, &tangents[tangents.len() - 1]);
            tangents.push(self.named(next, &format!("t{}", index + 1)));
        }
        let ddy = tangents.pop().map(|tangent| tangent.text);
        let (mut gradient, mut sum) = (
            Gradient {
                text: "dy".to_owned(),
                born: false,
            },
            None,
        );
        for (place, (index, tangent)) in steps.iter().zip(&tangents).enumerate().rev() {
            let term = self.term(*index, &tangent.text, &gradient.text);
            let passed = sum.map(|sum: Gradient| self.of_value(*index, &sum).text);
            let all: Vec<String> = passed.into_iter().chain(term).collect();
            sum = (!all.is_empty()).then(|| Gradient {
                text: all.join(" + "),
                born: true,
            });
            sum = sum.map(|sum| self.named(sum, &format!("h{index}")));
            if place > 0 {
                let next = self.of_value(*index, &gradient);
                gradient = self.named(next, &format!("g{index}"));
            }
        }
        let dx = sum.map_or_else(|| "0.0".to_owned(), |sum| sum.text);
        self.result = format!("{}, {dx}", ddy.unwrap_or_default());
    }

    /// What a step's own second derivative adds to the gradient with respect to what it is applied to.
    fn term(&mut self, index: usize, tangent: &str, gradient: &str) -> Option<String> {
        let function = self.nodes[index].step.function();
        let Bend::Is(is_flat) = bend(function) else {
            return None;
        };
        let (from, arguments) = (self.from(index), self.arguments(index));
        let bend = format!("act_{}_d2x({from}{arguments})", function.name());
        let bend = self.or_nan(bend, index);
        Some(match is_flat {
            true => format!("m_bent({bend}, {tangent}, {gradient})"),
            false => format!("{bend} * {tangent} * {gradient}"),
        })
    }

    /// The same value under a name, unless it is a variable already.
    fn named(&mut self, value: Gradient, name: &str) -> Gradient {
        if !value.text.contains(['(', '*']) {
            return value;
        }
        _ = writeln!(self.lines, "    let {name} = {};", value.text);
        Gradient {
            text: name.to_owned(),
            ..value
        }
    }
}

/// Of a step that has a second derivative (`Chain::supports`).
fn bend(function: &Function) -> Bend {
    match function {
        Function::Activation(activation) => match &activation.entry().room.second {
            Second::Is(bend) => Bend::Is(bend.is_flat),
            Second::Zero | Second::No(_) => Bend::Zero,
        },
        Function::Custom(_) => Bend::Is(false),
        _ => Bend::Zero,
    }
}
