//! What a pass should give, and whether results are it.

use super::enclosure::{Enclosure, MIN_NORMAL, Of, Parameters, ROUNDING, floor, product};
use super::report::{Finding, Report};
use super::rows::Rows;
use super::walk::Walk;
use crate::chain::Chain;
use crate::error::{Error, same_length};
use crate::pass::Pass;
use crate::reference::{
    Eval, FromValue, Kind64, Step64, backward_from_y_with, backward_with, double_backward_with,
    forward_with, from_y,
};
use crate::tensor::dtype::{DType, Element};
use crate::tensor::values::Values;
use crate::ulp::{ulp, ulp_in};

/// What a pass should give: evaluated once, to compare several results with.
///
/// ```
/// let expected = nonlin::check::Expected::forward(&"sigmoid".parse()?, &[0.0, 1.0])?;
/// assert!(expected.compare(&[0.5, 0.731_058_6])?.passes());
/// assert!(!expected.compare(&[0.5, 0.731_06])?.passes());
/// # Ok::<(), nonlin::Error>(())
/// ```
pub struct Expected {
    what: What,
    /// Whether a step's error is told alone: nobody stated one that is allowed to it.
    is_told: bool,
    /// x; y for a backward pass from y.
    x: Vec<f32>,
    /// For a backward pass.
    dy: Option<Vec<f32>>,
    /// For double backward.
    second: Option<SecondOf>,
    pub(super) wants: Vec<f64>,
}

/// One of the results of double backward.
struct SecondOf {
    ddx: Vec<f32>,
    /// Which one, by index: ddy or dx.
    index: usize,
}

/// How the pass goes.
enum What {
    FromX(Eval),
    /// Over whole rows: what each element may be.
    Rows(Vec<Enclosure>),
    /// From the last step to the first.
    FromY(Vec<(Step64, Option<FromValue>)>),
}

impl What {
    fn of(
        eval: Eval,
        rows: impl FnOnce(&Rows<'_>) -> Vec<Enclosure>,
        x: &[f32],
        from_y: bool,
    ) -> Self {
        let Some(lines) = &eval.lines else {
            return What::FromX(eval);
        };
        What::Rows(rows(&Rows::new(&eval, lines, x, from_y)))
    }
}

/// Whether a result is the number of its dtype that is nearest to what it should be. Zeros are alike. Where f64 cannot tell,
/// since a number in the middle between two is within its own error, either is: half of x and a little, say, for a tiny x.
fn is_nearest<T: Element>(got: T, want: f64) -> bool {
    const ERROR: f64 = 8.0 * f64::EPSILON;
    let got = got.to_f32();
    let around = [want, want * (1.0 - ERROR), want * (1.0 + ERROR)];
    let mut nearest = around.into_iter().map(|want| T::from_f64(want).to_f32());
    nearest.any(|nearest| got == nearest || (got.is_nan() && nearest.is_nan()))
}

impl Expected {
    /// The chain's value at `x`.
    ///
    /// # Errors
    /// As [`reference::forward`](crate::reference::forward).
    pub fn forward<X: Element>(chain: &Chain, x: &[X]) -> Result<Self, Error> {
        Self::forward_with(chain, x, &Values::new())
    }

    /// The chain's value at `x`, with the values of its operands.
    ///
    /// # Errors
    /// As [`reference::forward_with`](crate::reference::forward_with).
    pub fn forward_with<X: Element>(
        chain: &Chain,
        x: &[X],
        values: &Values,
    ) -> Result<Self, Error> {
        let eval = Eval::new(chain, Pass::Forward, x.len(), values)?;
        let wants = forward_with(chain, x, values)?;
        let x: Vec<f32> = x.iter().map(|x| x.to_f32()).collect();
        Ok(Expected {
            is_told: !eval.has_budget(),
            what: What::of(eval, |rows| rows.forward(&wants), &x, false),
            wants,
            x,
            dy: None,
            second: None,
        })
    }

    /// The gradient with respect to `x`.
    ///
    /// # Errors
    /// As [`reference::backward`](crate::reference::backward).
    pub fn backward<X: Element, G: Element>(
        chain: &Chain,
        x: &[X],
        dy: &[G],
    ) -> Result<Self, Error> {
        Self::backward_with(chain, x, dy, &Values::new())
    }

    /// The gradient with respect to `x`, with the values of the chain's operands.
    ///
    /// # Errors
    /// As [`reference::backward_with`](crate::reference::backward_with).
    pub fn backward_with<X: Element, G: Element>(
        chain: &Chain,
        x: &[X],
        dy: &[G],
        values: &Values,
    ) -> Result<Self, Error> {
        let eval = Eval::new(chain, Pass::Backward, x.len(), values)?;
        let wants = backward_with(chain, x, dy, values)?;
        let x: Vec<f32> = x.iter().map(|x| x.to_f32()).collect();
        let dy: Vec<f32> = dy.iter().map(|dy| dy.to_f32()).collect();
        Ok(Expected {
            is_told: !eval.has_budget(),
            what: What::of(eval, |rows| rows.backward(&dy, &wants), &x, false),
            wants,
            x,
            dy: Some(dy),
            second: None,
        })
    }

    /// The gradient with respect to x, from the chain's value `y`.
    ///
    /// # Errors
    /// As [`reference::backward_from_y`](crate::reference::backward_from_y).
    pub fn backward_from_y<Y: Element, G: Element>(
        chain: &Chain,
        y: &[Y],
        dy: &[G],
    ) -> Result<Self, Error> {
        Self::backward_from_y_with(chain, y, dy, &Values::new())
    }

    /// The same for rows that lie as the values' layout says.
    ///
    /// # Errors
    /// As [`reference::backward_from_y_with`](crate::reference::backward_from_y_with).
    pub fn backward_from_y_with<Y: Element, G: Element>(
        chain: &Chain,
        y: &[Y],
        dy: &[G],
        values: &Values,
    ) -> Result<Self, Error> {
        let wants = backward_from_y_with(chain, y, dy, values)?;
        let x: Vec<f32> = y.iter().map(|y| y.to_f32()).collect();
        let dy: Vec<f32> = dy.iter().map(|dy| dy.to_f32()).collect();
        let what = if chain.row().is_some() {
            let eval = Eval::new(chain, Pass::BackwardFromY, x.len(), values)?;
            What::of(eval, |rows| rows.backward(&dy, &wants), &x, true)
        } else {
            What::FromY(from_y(chain, x.len())?)
        };
        Ok(Expected {
            // Derivatives that were derived are none of values.
            is_told: false,
            what,
            wants,
            x,
            dy: Some(dy),
            second: None,
        })
    }

    /// The gradients with respect to dy and to x, in this order, given `ddx`, that with respect to dx.
    ///
    /// # Errors
    /// As [`reference::double_backward`](crate::reference::double_backward).
    pub fn double_backward<X: Element, G: Element, D: Element>(
        chain: &Chain,
        x: &[X],
        dy: &[G],
        ddx: &[D],
    ) -> Result<[Self; 2], Error> {
        Self::double_backward_with(chain, x, dy, ddx, &Values::new())
    }

    /// The same with the values of the chain's operands.
    ///
    /// # Errors
    /// As [`reference::double_backward_with`](crate::reference::double_backward_with).
    pub fn double_backward_with<X: Element, G: Element, D: Element>(
        chain: &Chain,
        x: &[X],
        dy: &[G],
        ddx: &[D],
        values: &Values,
    ) -> Result<[Self; 2], Error> {
        let wants = double_backward_with(chain, x, dy, ddx, values)?;
        let lengths = [x.len(), dy.len(), ddx.len()];
        let of = |index: usize, wants: Vec<f64>| -> Result<Self, Error> {
            let eval = Eval::second(chain, lengths, values)?;
            Ok(Expected {
                is_told: !eval.has_budget(),
                what: What::FromX(eval),
                wants,
                x: x.iter().map(|x| x.to_f32()).collect(),
                dy: Some(dy.iter().map(|dy| dy.to_f32()).collect()),
                second: Some(SecondOf {
                    ddx: ddx.iter().map(|ddx| ddx.to_f32()).collect(),
                    index,
                }),
            })
        };
        let [ddy, dx] = wants;
        Ok([of(0, ddy)?, of(1, dx)?])
    }

    /// Compares results with what they should be.
    ///
    /// # Errors
    /// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch).
    pub fn compare<T: Element>(&self, got: &[T]) -> Result<Report, Error> {
        let mut report = Report::default();
        self.compare_into(&mut report, got)?;
        Ok(report)
    }

    /// Compares results with what they should be and adds what is found to a report of other parts of
    /// the same comparison, faster than by itself: only what is worse needs a closer look.
    ///
    /// # Errors
    /// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch); the report is left as it was.
    pub fn compare_into<T: Element>(&self, report: &mut Report, got: &[T]) -> Result<(), Error> {
        let name = match (&self.dy, &self.second) {
            (_, Some(SecondOf { index: 0, .. })) => "ddy",
            (Some(_), _) => "dx",
            (None, _) => "y",
        };
        same_length("x", self.x.len() as u64, name, got.len() as u64)?;
        let least = self.least_allowed(T::DTYPE);
        // Most elements need no enclosure: an error that is allowed everywhere, and no larger than one
        // that was seen, changes nothing.
        let dull = |report: &Report| {
            let share = report.worst.as_ref().map_or(0.0, Finding::share);
            least * (share * (1.0 + 1e-12)).min(1.0)
        };
        let mut limit = dull(report);
        if T::DTYPE != DType::F32 {
            let pairs = got.iter().zip(&self.wants);
            let misrounded = pairs
                .filter(|(got, want)| !is_nearest(**got, **want))
                .count();
            report.misrounded = Some(report.misrounded.unwrap_or(0) + misrounded);
        }
        for (index, (got, want)) in got.iter().zip(&self.wants).enumerate() {
            let got = got.to_f32();
            let error = (f64::from(got) - want).abs();
            let overflowed = got.is_infinite() && got == *want as f32;
            if overflowed || (error <= limit * ulp(*want) && error.is_finite()) {
                report.compared += 1;
                continue;
            }
            let (ulp, allowed) = self.judge(T::DTYPE, index, got);
            report.add(Finding {
                index,
                x: self.x[index],
                dy: self.dy.as_ref().map(|dy| dy[index]),
                got,
                want: *want,
                ulp,
                allowed,
            });
            limit = dull(report);
        }
        Ok(())
    }

    /// An error, in ULP of f32, that is allowed to every element; 0 where that is not known.
    fn least_allowed(&self, dtype: DType) -> f64 {
        let What::FromX(Eval { nodes, .. }) = &self.what else {
            return 0.0;
        };
        let ones = self
            .dy
            .as_ref()
            .is_none_or(|dy| dy.iter().all(|dy| *dy == 1.0));
        match nodes.as_slice() {
            [node]
                if dtype == DType::F32
                    && ones
                    && self.second.is_none()
                    && node.step.room().is_some() =>
            {
                node.step.budget()
            }
            _ => 0.0,
        }
    }

    /// The error of one element and what is allowed to it, in ULP.
    pub(super) fn judge(&self, dtype: DType, index: usize, got: f32) -> (f64, f64) {
        if let Some(second) = &self.second {
            return self.judge_second(second, dtype, index, got);
        }
        let (x, want) = (self.x[index], self.wants[index]);
        let dy = self.dy.as_ref().map(|dy| dy[index]);
        if self.is_told && !x.is_nan() && !dy.is_some_and(f32::is_nan) {
            let flushed = x.is_subnormal() || dy.is_some_and(f32::is_subnormal);
            return told(dtype, got, want, flushed);
        }
        if let What::Rows(enclosures) = &self.what {
            return enclosures[index].judge(dtype, got, want, 0.0, false);
        }
        let takes_nan = match &self.what {
            What::FromX(eval) => eval.must_take_nan(index),
            What::FromY(_) | What::Rows(_) => false,
        };
        if x.is_nan() || dy.is_some_and(f32::is_nan) || (takes_nan && dy.is_none()) {
            return must_be_nan(got);
        }
        if takes_nan {
            // Backward may not need that value.
            return (0.0, 0.0);
        }
        let floor = match &self.what {
            What::FromX(eval) => match eval.nodes.as_slice() {
                [node] => {
                    let of = if dy.is_some() { Of::Slope } else { Of::Value };
                    let p = eval.parameters(node, index, &[]);
                    let floor = floor(&node.step, &p, f64::from(x), of);
                    dy.map_or(floor, |dy| floor * f64::from(dy).abs())
                }
                _ => 0.0,
            },
            What::FromY(_) | What::Rows(_) => 0.0,
        };
        let flushed = x.is_subnormal() || dy.is_some_and(f32::is_subnormal);
        let enclosure = match (&self.what, dy) {
            (What::Rows(enclosures), _) => enclosures[index],
            (What::FromX(eval), None) => Walk::new(eval, index, x).result(),
            (What::FromX(eval), Some(dy)) => Walk::new(eval, index, x).gradient(&eval.path, dy),
            (What::FromY(steps), dy) => from_y_through(steps, x, dy.unwrap_or(1.0)),
        };
        enclosure.judge(dtype, got, want, floor, flushed)
    }
}

impl Expected {
    /// The error of one element of double backward and what is allowed to it, in ULP.
    fn judge_second(&self, second: &SecondOf, dtype: DType, index: usize, got: f32) -> (f64, f64) {
        let What::FromX(eval) = &self.what else {
            unreachable!("double backward is from x");
        };
        let (x, want, ddx) = (self.x[index], self.wants[index], second.ddx[index]);
        let dy = self.dy.as_ref().map_or(1.0, |dy| dy[index]);
        // dy is not in the gradient with respect to it.
        let is_of_x = second.index == 1;
        let counts = if is_of_x {
            &[x, ddx, dy][..]
        } else {
            &[x, ddx]
        };
        if counts.iter().any(|v| v.is_nan()) {
            return must_be_nan(got);
        }
        let flushed = counts.iter().any(|v| v.is_subnormal());
        if self.is_told {
            return told(dtype, got, want, flushed);
        }
        if eval.must_take_nan(index) {
            return (0.0, 0.0);
        }
        let floor = match eval.nodes.as_slice() {
            [node] => {
                let (of, others) = match is_of_x {
                    true => (Of::Bend, [ddx, dy]),
                    false => (Of::Slope, [ddx, 1.0]),
                };
                let p = eval.parameters(node, index, &[]);
                let others = others.iter().map(|v| f64::from(*v).abs());
                floor(&node.step, &p, f64::from(x), of) * others.product::<f64>()
            }
            _ => 0.0,
        };
        let enclosures = Walk::new(eval, index, x).second(dy, ddx);
        enclosures[second.index].judge(dtype, got, want, floor, flushed)
    }
}

/// The error of a result that none is stated for, which allows all but NaN in the place of a number.
fn told(dtype: DType, got: f32, want: f64, flushed: bool) -> (f64, f64) {
    let (max, ..) = dtype.format();
    let is_lost = got == 0.0 && want.abs() < MIN_NORMAL;
    if want.is_nan() || is_lost || (flushed && !got.is_nan()) {
        return (0.0, f64::INFINITY);
    }
    if got.is_nan() {
        return (f64::INFINITY, 0.0);
    }
    // As where an error is allowed: what is infinite counts as the number behind the largest.
    let end = max + ulp_in(dtype, max);
    let off = (f64::from(got).clamp(-end, end) - want.clamp(-end, end)).abs();
    (off / ulp_in(dtype, want.abs().min(max)), f64::INFINITY)
}

pub(super) fn must_be_nan(got: f32) -> (f64, f64) {
    (if got.is_nan() { 0.0 } else { f64::INFINITY }, 0.0)
}

/// All that a correct kernel may hold for dx, from y.
fn from_y_through(steps: &[(Step64, Option<FromValue>)], y: f32, dy: f32) -> Enclosure {
    let (mut value, mut gradient) = (Enclosure::exact(y), Enclosure::exact(dy));
    let mut known = true;
    for (index, (step, dx)) in steps.iter().enumerate() {
        let p = step.constants();
        let parameters = Parameters::exact(p.into());
        let slope = match dx {
            Some(dx) => value.image(step, &parameters, Of::FromValue(*dx)),
            None => value.slope(step, &parameters),
        };
        gradient = product(gradient, (slope, step.is_mask()));
        known &= dx.is_none();
        if known && index + 1 < steps.len() {
            value = match &step.function {
                // WGSL promises a quotient to within 2.5 ULP.
                Kind64::Product => value.times(Enclosure::hull([1.0 / p[0]])).widened(2.5, 0.0),
                _ => value.plus(Enclosure::hull([-p[0]])).widened(ROUNDING, 0.0),
            };
        }
    }
    gradient
}
