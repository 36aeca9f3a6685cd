//! The checker: is a result within the error allowed to it? The worst element decides.
//!
//! The allowed error is an enclosure, carried along the chain in f64: the interval of all values that
//! a correct kernel may hold at that point. A step maps the interval and widens it by its own budget
//! in ULP (half a ULP for a product). So a chain is allowed what an error of an early step becomes in
//! a later one, and nothing else; a single activation is allowed exactly its budget.
//!
//! Further rules:
//! - Within [`ROOT_WINDOW`] of a root of its derivative, the derivative's ULP are measured at 2^-3 where
//!   it is smaller than that: no formula in f32 has relative accuracy there. Where parameters decide
//!   which terms cancel, ULP are measured at the sum of the terms' magnitudes.
//! - A value that leaves the range of f32 may be infinite from there on; one below 2^-126 may be zero,
//!   at the input as well, since drivers flush subnormals.
//! - Where an activation first multiplies x by a parameter (swish, ACON, softplus, ONNX's hard sigmoid), the
//!   kernel rounds that product, which may be worth many ULP of what follows. The budget is counted from
//!   what the activation makes of the rounded product: for values, derivatives and shares of a sum.
//! - What is stored as f16 or bf16 is rounded once more, by half a ULP of that dtype, measured at the ends of
//!   what is allowed.
//! - A NaN in x or dy must give NaN. So must what a step makes of numbers (infinity times zero, infinity less infinity),
//!   where all values that a correct kernel may hold there give it; where some do, NaN is accepted beside the others.
//!
//! - Of a step without a budget, which derivatives have that were derived, the error is told, and passes; NaN in the place of
//!   a number does not.
//!
//! - A second derivative has a budget and roots of its own. It is multiplied by the tangent first, then by the gradient;
//!   chains' sums of such terms are rounded as their kernel does it.
//!
//! - Steps over whole rows have bounds of their own: rows.rs derives them.
//!
//! Layers have rules of their own: [`ExpectedLayer`].

mod enclosure;
mod expected;
mod inputs;
mod layer;
mod report;
mod rows;
mod sums;
#[cfg(test)]
mod tests;
mod walk;

pub use enclosure::{ROOT_SCALE, ROOT_WINDOW};
pub use expected::Expected;
pub use inputs::inputs;
pub use layer::{ExpectedLayer, LayerFinding, LayerReport, NUDGES, ROUNDINGS, SUMMED};
pub use report::{Finding, Report};
pub use sums::gradient;

use crate::chain::Chain;
use crate::error::Error;
use crate::tensor::dtype::Element;

/// Compares `y`, computed by the chain from `x`, with the reference.
///
/// # Errors
/// As [`reference::forward`](crate::reference::forward), and
/// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch).
///
/// ```
/// let report = nonlin::check::forward(&"sigmoid".parse()?, &[0.0], &[0.5])?;
/// assert!(report.passes());
/// let report = nonlin::check::forward(&"sigmoid".parse()?, &[0.0], &[0.500001])?;
/// assert!(!report.passes());
/// # Ok::<(), nonlin::Error>(())
/// ```
pub fn forward<X: Element, Y: Element>(chain: &Chain, x: &[X], y: &[Y]) -> Result<Report, Error> {
    Expected::forward(chain, x)?.compare(y)
}

/// Compares `dx`, computed by the chain's backward pass from `x` and `dy`, with the reference.
///
/// # Errors
/// As [`reference::backward`](crate::reference::backward), and
/// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch).
pub fn backward<X: Element, G: Element, D: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    dx: &[D],
) -> Result<Report, Error> {
    Expected::backward(chain, x, dy)?.compare(dx)
}

/// Compares `dx`, computed from the chain's value `y` and `dy`, with the reference.
///
/// # Errors
/// As [`reference::backward_from_y`](crate::reference::backward_from_y), and
/// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch).
pub fn backward_from_y<Y: Element, G: Element, D: Element>(
    chain: &Chain,
    y: &[Y],
    dy: &[G],
    dx: &[D],
) -> Result<Report, Error> {
    Expected::backward_from_y(chain, y, dy)?.compare(dx)
}

/// Compares `ddy` and `dx`, computed by the chain's double backward pass from `x`, `dy` and `ddx`, with the reference.
///
/// # Errors
/// As [`reference::double_backward`](crate::reference::double_backward), and
/// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch).
///
/// ```
/// let chain = "sine".parse()?;
/// let [ddy, dx] = nonlin::check::double_backward(&chain, &[0.0], &[2.0], &[3.0], &[3.0], &[0.0])?;
/// assert!(ddy.passes() && dx.passes());
/// # Ok::<(), nonlin::Error>(())
/// ```
pub fn double_backward<X: Element, G: Element, D: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    ddx: &[D],
    ddy: &[G],
    dx: &[X],
) -> Result<[Report; 2], Error> {
    let [of_dy, of_x] = Expected::double_backward(chain, x, dy, ddx)?;
    Ok([of_dy.compare(ddy)?, of_x.compare(dx)?])
}
