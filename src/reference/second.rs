//! Double backward in f64.

use super::step::masked;
use super::{Eval, Held, in_f64};
use crate::chain::Chain;
use crate::chain::step::Function;
use crate::error::{ChainError, Error, same_length};
use crate::pass::Pass;
use crate::tensor::dtype::Element;
use crate::tensor::values::Values;

/// The gradients with respect to `dy` and to `x`, in this order, given `ddx`, that with respect to dx of
/// [`backward`](super::backward): of a chain of one step f, ddx f'(x) and ddx dy f''(x). A second derivative of exactly zero,
/// where a function is linear, lets nothing pass, not even what is infinite; NaN in dy does not matter for the first.
///
/// # Errors
/// As [`backward`](super::backward), [`ChainError::NoSecondDerivative`], and [`ChainError::NoReference`] for an activation of
/// the user's own whose reference has none.
///
/// ```
/// let [ddy, dx] = nonlin::reference::double_backward(&"sine".parse()?, &[1.0], &[2.0], &[3.0])?;
/// assert!((ddy[0] - 3.0 * 1f64.cos()).abs() < 1e-15);
/// assert!((dx[0] + 6.0 * 1f64.sin()).abs() < 1e-15);
/// # Ok::<(), nonlin::Error>(())
/// ```
pub fn double_backward<X: Element, G: Element, D: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    ddx: &[D],
) -> Result<[Vec<f64>; 2], Error> {
    double_backward_with(chain, x, dy, ddx, &Values::new())
}

/// The same with the values of the chain's operands.
///
/// # Errors
/// As [`double_backward`], and [`OperandError::BadLength`](crate::OperandError::BadLength).
pub fn double_backward_with<X: Element, G: Element, D: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    ddx: &[D],
    values: &Values,
) -> Result<[Vec<f64>; 2], Error> {
    let eval = Eval::second(chain, [x.len(), dy.len(), ddx.len()], values)?;
    let (x, dy, ddx) = (in_f64(x), in_f64(dy), in_f64(ddx));
    let mut held = Held::default();
    let mut both = [Vec::with_capacity(x.len()), Vec::with_capacity(x.len())];
    for (index, x) in x.iter().enumerate() {
        let of_element = eval.second_of([*x, dy[index], ddx[index]], index, &mut held);
        for (all, one) in both.iter_mut().zip(of_element) {
            all.push(one);
        }
    }
    Ok(both)
}

/// A step at an element, as double backward meets it.
struct Met {
    slope: f64,
    is_mask: bool,
    bend: f64,
    is_flat: bool,
}

impl Eval {
    /// The chain with its operands' values, for a pass on x, dy and ddx of these lengths.
    pub(crate) fn second(
        chain: &Chain,
        [x, dy, ddx]: [usize; 3],
        values: &Values,
    ) -> Result<Self, Error> {
        same_length("x", x as u64, "dy", dy as u64)?;
        same_length("x", x as u64, "ddx", ddx as u64)?;
        chain.validate()?;
        chain.supports(Pass::DoubleBackward)?;
        for step in chain.steps() {
            if let Function::Custom(custom) = step.function()
                && custom.reference()?.d2x.is_none()
            {
                return Err(Error::Chain(ChainError::NoReference {
                    name: custom.name().to_owned(),
                }));
            }
        }
        Eval::new(chain, Pass::DoubleBackward, x, values)
    }

    /// The gradients with respect to dy and to x.
    fn second_of(&self, [x, dy, ddx]: [f64; 3], element: usize, held: &mut Held) -> [f64; 2] {
        let mut links = self.path.iter().peekable();
        let mut met: Vec<Met> = Vec::with_capacity(self.path.len());
        self.walk_part(
            &self.all(),
            x,
            element,
            &mut held.values,
            |index, step, from, p| {
                if links.next_if(|link| link.node == index).is_some() {
                    met.push(Met {
                        slope: step.slope(from, p),
                        is_mask: step.is_mask(),
                        bend: step.bend(from, p),
                        is_flat: step.is_straight() || step.room_bend().is_some_and(|b| b.is_flat),
                    });
                }
            },
        );
        let mut tangents = vec![ddx];
        for (step, index) in met.iter().zip(0..) {
            tangents.push(masked(tangents[index], step.slope, step.is_mask));
        }
        let (mut gradient, mut sum) = (dy, 0.0);
        for (step, tangent) in met.iter().zip(&tangents).rev() {
            let term = match step.bend == 0.0 && step.is_flat {
                true if tangent.is_nan() || gradient.is_nan() => f64::NAN,
                true => 0.0,
                false => step.bend * tangent * gradient,
            };
            sum = masked(sum, step.slope, step.is_mask) + term;
            gradient = masked(gradient, step.slope, step.is_mask);
        }
        // What is NaN in memory spoils the result, also of a chain that is linear.
        let is_spoiled = [x, dy, ddx].iter().any(|v| v.is_nan());
        let dx = if is_spoiled { f64::NAN } else { sum };
        [tangents[met.len()], dx]
    }
}
