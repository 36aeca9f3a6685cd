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
//! - A NaN in x or dy must give NaN. Where the reference itself has no value (infinity times zero),
//!   anything is accepted.
//!
//! Layers have rules of their own: [`ExpectedLayer`].

mod layer;

pub use layer::{ExpectedLayer, LayerFinding, LayerReport, NUDGES, ROUNDINGS, SUMMED};

use crate::error::same_length;
use crate::reference::{Eval, FromValue, Kind64, Shares, Step64, at};
use crate::ulp::{ulp, ulp_in};
use crate::{Activation, Argument, Chain, DType, Element, Error, Function, Pass, Values};

/// How far from a root of a derivative its ULP are measured at [`ROOT_SCALE`].
pub const ROOT_WINDOW: f64 = 0.25;

/// The magnitude at which ULP are measured near a root.
pub const ROOT_SCALE: f64 = 0.125;

const MAX: f64 = f32::MAX as f64;
const MIN_NORMAL: f64 = f32::MIN_POSITIVE as f64;

/// Error of a correctly rounded operation, in ULP.
const ROUNDING: f64 = 0.5;

/// One element and what was found there.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its index.
    pub index: usize,
    /// The input.
    pub x: f32,
    /// The incoming gradient, for a backward pass.
    pub dy: Option<f32>,
    /// The result under test.
    pub got: f32,
    /// The reference.
    pub want: f64,
    /// The error, in ULP of the result's dtype at the reference (at [`ROOT_SCALE`] near a root).
    pub ulp: f64,
    /// The error allowed here, in the same unit.
    pub allowed: f64,
}

impl Finding {
    /// Whether the error is within what is allowed.
    pub fn passes(&self) -> bool {
        self.ulp <= self.allowed
    }

    /// The share of the allowed error that was used; above 1 it fails.
    fn share(&self) -> f64 {
        if self.ulp == 0.0 {
            0.0
        } else {
            self.ulp / self.allowed
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "x[{}] = {:e} ({:#010x})",
            self.index,
            self.x,
            self.x.to_bits()
        )?;
        if let Some(dy) = self.dy {
            write!(f, ", dy = {dy:e}")?;
        }
        write!(
            f,
            ": got {:e} ({:#010x}), want {:e}; {:.2} ULP, allowed {:.2}",
            self.got,
            self.got.to_bits(),
            self.want,
            self.ulp,
            self.allowed
        )
    }
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Elements compared.
    pub compared: usize,
    /// Elements whose error is not allowed.
    pub failed: usize,
    /// The element that comes nearest to, or goes furthest over, what is allowed. None where nothing
    /// was compared or all is exact.
    pub worst: Option<Finding>,
}

impl Report {
    /// Whether every element passes.
    pub fn passes(&self) -> bool {
        self.failed == 0
    }

    /// Takes in the findings of another part of the same comparison.
    pub fn merge(&mut self, other: Report) {
        self.compared += other.compared;
        self.failed += other.failed;
        let share = |worst: &Option<Finding>| worst.as_ref().map_or(0.0, Finding::share);
        if share(&other.worst) > share(&self.worst) {
            self.worst = other.worst;
        }
    }

    fn add(&mut self, finding: Finding) {
        let failed = usize::from(!finding.passes());
        self.merge(Report {
            compared: 1,
            failed,
            worst: Some(finding),
        });
    }
}

/// All values that a correct kernel may hold. Both ends infinite: anything, NaN as well.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Enclosure {
    lo: f64,
    hi: f64,
}

impl Enclosure {
    const ANYTHING: Enclosure = Enclosure {
        lo: f64::NEG_INFINITY,
        hi: f64::INFINITY,
    };

    const NOTHING: Enclosure = Enclosure {
        lo: f64::INFINITY,
        hi: f64::NEG_INFINITY,
    };

    fn hull(values: impl IntoIterator<Item = f64>) -> Enclosure {
        values.into_iter().fold(Self::NOTHING, Self::and)
    }

    /// Takes in one more value; NaN may be anything.
    fn and(self, v: f64) -> Enclosure {
        if v.is_nan() {
            return Self::ANYTHING;
        }
        Enclosure {
            lo: self.lo.min(v),
            hi: self.hi.max(v),
        }
    }

    /// A value as the kernel finds it in memory.
    fn exact(v: f32) -> Enclosure {
        Self::hull([f64::from(v)]).stored()
    }

    fn is_anything(self) -> bool {
        self == Self::ANYTHING
    }

    /// What becomes of the values when they are held as f32: overflow and flushed subnormals.
    fn stored(self) -> Enclosure {
        let Enclosure { mut lo, mut hi } = self;
        if hi > MAX {
            (lo, hi) = (lo.min(MAX), f64::INFINITY);
        }
        if lo < -MAX {
            (lo, hi) = (f64::NEG_INFINITY, hi.max(-MAX));
        }
        if lo > 0.0 && lo < MIN_NORMAL {
            lo = 0.0;
        }
        if hi < 0.0 && hi > -MIN_NORMAL {
            hi = 0.0;
        }
        Enclosure { lo, hi }
    }

    /// Allows an error of `budget` ULP, measured at a magnitude of at least `floor`.
    fn widened(self, budget: f64, floor: f64) -> Enclosure {
        if self.is_anything() {
            return self;
        }
        let by = |v: f64| {
            if v.is_infinite() {
                0.0
            } else {
                budget * ulp(v.abs().max(floor))
            }
        };
        Enclosure {
            lo: self.lo - by(self.lo),
            hi: self.hi + by(self.hi),
        }
        .stored()
    }

    fn times(self, other: Enclosure) -> Enclosure {
        let products = [
            self.lo * other.lo,
            self.lo * other.hi,
            self.hi * other.lo,
            self.hi * other.hi,
        ];
        Self::hull(products)
    }

    fn plus(self, other: Enclosure) -> Enclosure {
        Self::hull([self.lo + other.lo, self.hi + other.hi])
    }

    /// The values behind a step.
    fn through(self, step: &Step64, p: &[f64]) -> Enclosure {
        match &step.function {
            _ if self.is_anything() => self,
            Kind64::Product if step.drops(p) => Self::hull([0.0]),
            Kind64::Product => self.times(Self::constant(p[0])).widened(ROUNDING, 0.0),
            Kind64::Sum => self.plus(Self::constant(p[0])).widened(ROUNDING, 0.0),
            _ => self.image(step, p, Of::Value),
        }
    }

    /// A step's derivatives at these values.
    fn slope(self, step: &Step64, p: &[f64]) -> Enclosure {
        match &step.function {
            Kind64::Product => Self::constant(p[0]),
            Kind64::Sum => Self::hull([1.0]),
            _ if self.is_anything() => self,
            _ => self.image(step, p, Of::Slope),
        }
    }

    /// A step's derivatives with respect to a parameter.
    fn share(self, step: &Step64, p: &[f64], parameter: usize, name: &str) -> Enclosure {
        match &step.function {
            Kind64::Product => self,
            Kind64::Sum => Self::hull([1.0]),
            _ if self.is_anything() => self,
            _ => self.image(step, p, Of::Share(parameter, name)),
        }
    }

    /// A number as the kernel finds it in memory.
    fn constant(v: f64) -> Enclosure {
        Self::hull([v]).stored()
    }

    /// The image under one of a step's functions, with that function's own error.
    fn image(self, step: &Step64, p: &[f64], of: Of<'_>) -> Enclosure {
        let f = |x: f64, p: &[f64]| match of {
            Of::Value => step.value(x, p),
            Of::Slope => step.slope(x, p),
            Of::Share(parameter, name) => step.share(parameter, name, x, p),
            Of::FromValue(dx) => at(dx, x, p),
        };
        let middle = (self.lo + self.hi) / 2.0;
        let room = step.room();
        let from_value = matches!(of, Of::FromValue(_));
        let mut nudged = Vec::new();
        if !from_value {
            nudged.extend(rounded_product(step, p));
        }
        if step.jitter() > 0.0 {
            // A parameter that was drawn.
            nudged.extend(nudge(p, 0, step.jitter()));
        }
        let mut image = Self::NOTHING;
        let mut see = |x: f64| {
            if !x.is_nan() {
                image = image.and(f(x, p));
                nudged.iter().for_each(|p| image = image.and(f(x, p)));
            }
        };
        see(middle);
        if self.lo < self.hi {
            // Values and derivatives turn at zero and at knots, if they turn within so short an interval.
            let knots = match room {
                Some(room) if !from_value => (room.knots)(p),
                _ => Vec::new(),
            };
            let inside = knots
                .into_iter()
                .chain([0.0])
                .filter(|x| self.lo < *x && *x < self.hi);
            [self.lo, self.hi].into_iter().chain(inside).for_each(see);
        }
        image.widened(step.budget(), floor(step, p, middle, of))
    }

    /// What becomes of the values when they are rounded to a dtype for storage.
    fn rounded_to(self, dtype: DType) -> Enclosure {
        if dtype == DType::F32 || self.is_anything() {
            return self;
        }
        let (max, ..) = dtype.format();
        let half = |v: f64| {
            if v.is_infinite() {
                0.0
            } else {
                ROUNDING * ulp_in(dtype, v)
            }
        };
        let Enclosure { mut lo, mut hi } = self;
        (lo, hi) = (lo - half(lo), hi + half(hi));
        if hi > max {
            (lo, hi) = (lo.min(max), f64::INFINITY);
        }
        if lo < -max {
            (lo, hi) = (f64::NEG_INFINITY, hi.max(-max));
        }
        Enclosure { lo, hi }
    }

    /// Judges a result of a dtype against the reference value and this enclosure: its error and what is
    /// allowed, in ULP. `flushed`: the input is one that a driver may take for zero.
    fn judge(self, dtype: DType, got: f32, want: f64, floor: f64, flushed: bool) -> (f64, f64) {
        let Enclosure { lo, hi } = self.rounded_to(dtype);
        if self.is_anything() {
            return (0.0, 0.0);
        }
        let got = f64::from(got);
        if got.is_nan() {
            return (f64::INFINITY, 0.0);
        }
        let inside = got >= lo && got <= hi;
        if inside && (flushed || got == 0.0 || got.is_infinite()) {
            // Right, or flushed or overflowed where that is allowed: an error in ULP says nothing.
            return (0.0, 0.0);
        }
        let (max, ..) = dtype.format();
        let unit = ulp_in(dtype, want.abs().min(max).max(floor));
        // Infinite results and references count as the value behind the largest finite one.
        let end = max + ulp_in(dtype, max);
        let bounded = |v: f64| v.clamp(-end, end);
        let ulps = (bounded(got) - bounded(want)).abs() / unit;
        let above = if inside { got > want } else { got > hi };
        let side = if above { hi } else { lo };
        let allowed = (bounded(side) - bounded(want)).abs() / unit;
        (ulps, if inside { allowed.max(ulps) } else { allowed })
    }
}

/// One of a step's functions.
#[derive(Clone, Copy)]
enum Of<'a> {
    Value,
    /// The derivative.
    Slope,
    /// The derivative with respect to a parameter, by index and name.
    Share(usize, &'a str),
    /// The derivative as a function of the value.
    FromValue(FromValue),
}

/// The parameters with one of them at either end of what it may be.
fn nudge(p: &[f64], index: usize, by: f64) -> impl Iterator<Item = Vec<f64>> {
    [-by, by].into_iter().map(move |by| {
        let mut p = p.to_vec();
        p[index] += by;
        p
    })
}

/// What the rounding of the product of x and a parameter amounts to: other values of that parameter. A
/// product with 1 is exact.
fn rounded_product(step: &Step64, p: &[f64]) -> impl Iterator<Item = Vec<f64>> {
    let product = step.room().and_then(|room| Some((room, room.product?)));
    let rounded = product.filter(|(room, index)| p[*index] != 1.0 || room.roundings > 1.0);
    rounded.into_iter().flat_map(|(room, index)| {
        let half = room.roundings * ROUNDING * f64::from(f32::EPSILON);
        nudge(p, index, p[index] * half)
    })
}

/// The magnitude below which ULP are not measured at `x`.
fn floor(step: &Step64, p: &[f64], x: f64, of: Of<'_>) -> f64 {
    let Some(room) = step.room() else { return 0.0 };
    match of {
        Of::Value => at(room.y_terms, x, p),
        Of::Slope => {
            let z = room.product.map_or(x, |index| p[index] * x);
            let near = room
                .roots
                .iter()
                .any(|root| (z - root).abs() <= ROOT_WINDOW);
            let scale = if near { ROOT_SCALE } else { 0.0 };
            at(room.dx_terms, x, p).max(scale)
        }
        Of::Share(_, name) => {
            let gradient = room.gradients.iter().find(|g| g.parameter == name);
            gradient.map_or(0.0, |gradient| at(gradient.terms, x, p))
        }
        Of::FromValue(_) => 0.0,
    }
}

/// Compares `y`, computed by the chain from `x`, with the reference.
///
/// # Errors
/// As [`reference::forward`](crate::reference::forward), and [`Error::LengthMismatch`].
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
/// As [`reference::backward`](crate::reference::backward), and [`Error::LengthMismatch`].
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
/// As [`reference::backward_from_y`](crate::reference::backward_from_y), and [`Error::LengthMismatch`].
pub fn backward_from_y<Y: Element, G: Element, D: Element>(
    chain: &Chain,
    y: &[Y],
    dy: &[G],
    dx: &[D],
) -> Result<Report, Error> {
    Expected::backward_from_y(chain, y, dy)?.compare(dx)
}

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
    /// x; y for a backward pass from y.
    x: Vec<f32>,
    /// For a backward pass.
    dy: Option<Vec<f32>>,
    wants: Vec<f64>,
}

/// How the pass goes.
enum What {
    FromX(Eval),
    /// From the last step to the first.
    FromY(Vec<(Step64, Option<FromValue>)>),
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
        Ok(Expected {
            what: What::FromX(Eval::new(chain, Pass::Forward, x.len(), values)?),
            wants: crate::reference::forward_with(chain, x, values)?,
            x: x.iter().map(|x| x.to_f32()).collect(),
            dy: None,
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
        Ok(Expected {
            what: What::FromX(Eval::new(chain, Pass::Backward, x.len(), values)?),
            wants: crate::reference::backward_with(chain, x, dy, values)?,
            x: x.iter().map(|x| x.to_f32()).collect(),
            dy: Some(dy.iter().map(|dy| dy.to_f32()).collect()),
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
        Ok(Expected {
            what: What::FromY(crate::reference::from_y(chain, y.len())?),
            wants: crate::reference::backward_from_y(chain, y, dy)?,
            x: y.iter().map(|y| y.to_f32()).collect(),
            dy: Some(dy.iter().map(|dy| dy.to_f32()).collect()),
        })
    }

    /// Compares results with what they should be.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`].
    pub fn compare<T: Element>(&self, got: &[T]) -> Result<Report, Error> {
        let mut report = Report::default();
        self.compare_into(&mut report, got)?;
        Ok(report)
    }

    /// Compares results with what they should be and adds what is found to a report of other parts of
    /// the same comparison, faster than by itself: only what is worse needs a closer look.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; the report is left as it was.
    pub fn compare_into<T: Element>(&self, report: &mut Report, got: &[T]) -> Result<(), Error> {
        let name = if self.dy.is_some() { "dx" } else { "y" };
        same_length("x", self.x.len() as u64, name, got.len() as u64)?;
        let least = self.least_allowed(T::DTYPE);
        // Most elements need no enclosure: an error that is allowed everywhere, and no larger than one
        // that was seen, changes nothing.
        let dull = |report: &Report| {
            let share = report.worst.as_ref().map_or(0.0, Finding::share);
            least * (share * (1.0 + 1e-12)).min(1.0)
        };
        let mut limit = dull(report);
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
        let What::FromX(Eval { steps, .. }) = &self.what else {
            return 0.0;
        };
        let ones = self
            .dy
            .as_ref()
            .is_none_or(|dy| dy.iter().all(|dy| *dy == 1.0));
        match steps.as_slice() {
            [step] if dtype == DType::F32 && ones && step.room().is_some() => step.budget(),
            _ => 0.0,
        }
    }

    /// The error of one element and what is allowed to it, in ULP.
    fn judge(&self, dtype: DType, index: usize, got: f32) -> (f64, f64) {
        let (x, want) = (self.x[index], self.wants[index]);
        let dy = self.dy.as_ref().map(|dy| dy[index]);
        let takes_nan = match &self.what {
            What::FromX(eval) => eval.takes_nan(index),
            What::FromY(_) => false,
        };
        if x.is_nan() || dy.is_some_and(f32::is_nan) || (takes_nan && dy.is_none()) {
            return must_be_nan(got);
        }
        if takes_nan {
            // Backward may not need that value.
            return (0.0, 0.0);
        }
        let floor = match &self.what {
            What::FromX(eval) => match eval.steps.as_slice() {
                [step] => {
                    let of = if dy.is_some() { Of::Slope } else { Of::Value };
                    let floor = floor(step, &eval.parameters(step, index), f64::from(x), of);
                    dy.map_or(floor, |dy| floor * f64::from(dy).abs())
                }
                _ => 0.0,
            },
            What::FromY(_) => 0.0,
        };
        let flushed = x.is_subnormal() || dy.is_some_and(f32::is_subnormal);
        let enclosure = match (&self.what, dy) {
            (What::FromX(eval), None) => eval.steps.iter().fold(Enclosure::exact(x), |e, step| {
                e.through(step, &eval.parameters(step, index))
            }),
            (What::FromX(eval), Some(dy)) => backward_through(eval, index, x, dy),
            (What::FromY(steps), dy) => from_y_through(steps, x, dy.unwrap_or(1.0)),
        };
        enclosure.judge(dtype, got, want, floor, flushed)
    }
}

fn must_be_nan(got: f32) -> (f64, f64) {
    (if got.is_nan() { 0.0 } else { f64::INFINITY }, 0.0)
}

/// A gradient times a slope: the product is rounded, unless one of the two is 1.
fn product(gradient: Enclosure, slope: Enclosure) -> Enclosure {
    let one = Enclosure::exact(1.0);
    match (gradient, slope) {
        (gradient, slope) if gradient == one => slope,
        (gradient, slope) if slope == one => gradient,
        _ => gradient.times(slope).widened(ROUNDING, 0.0),
    }
}

/// All that a correct kernel may hold for dx.
fn backward_through(eval: &Eval, index: usize, x: f32, dy: f32) -> Enclosure {
    let mut value = Enclosure::exact(x);
    let mut slopes = Vec::with_capacity(eval.steps.len());
    for (at, step) in eval.steps.iter().enumerate() {
        let p = eval.parameters(step, index);
        slopes.push(value.slope(step, &p));
        if at + 1 < eval.steps.len() {
            value = value.through(step, &p);
        }
    }
    slopes.into_iter().rev().fold(Enclosure::exact(dy), product)
}

/// The same from y.
fn from_y_through(steps: &[(Step64, Option<FromValue>)], y: f32, dy: f32) -> Enclosure {
    let (mut value, mut gradient) = (Enclosure::exact(y), Enclosure::exact(dy));
    let mut known = true;
    for (index, (step, dx)) in steps.iter().enumerate() {
        let p = step.constants();
        let slope = match dx {
            Some(_) if value.is_anything() => value,
            Some(dx) => value.image(step, p, Of::FromValue(*dx)),
            None => value.slope(step, p),
        };
        gradient = product(gradient, slope);
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

/// Compares `d`, the gradient with respect to the operand `@name`, with the reference.
///
/// Where elements share a value, the error allowed to their sum is what is allowed to each share, and
/// 4 x 2^-24 of the sum of the shares' magnitudes for the summing. To a share of such a sum is allowed, in a
/// chain of one step, its budget times 2^-24 of its magnitude, and what the rounding of a product with x makes
/// of it, as everywhere; in longer chains, what the enclosure allows. In the report, errors are in units of
/// 2^-24 of the sum of the magnitudes, and `x` is not of interest.
///
/// # Errors
/// As [`reference::gradient`](crate::reference::gradient), and [`Error::LengthMismatch`].
pub fn gradient<X: Element, G: Element, D: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    values: &Values,
    name: &str,
    d: &[D],
) -> Result<Report, Error> {
    same_length("x", x.len() as u64, "dy", dy.len() as u64)?;
    let shares = Shares::new(chain, x.len(), values, name)?;
    let grad = format!("d_{name}");
    same_length(name, shares.count() as u64, &grad, d.len() as u64)?;
    let mut sums = vec![Sum64::default(); d.len()];
    for (index, (x, dy)) in x.iter().zip(dy).enumerate() {
        sums[shares.spread.index(index)].add(&shares, x.to_f32(), dy.to_f32(), index);
    }
    let summed = d.len() < x.len();
    let mut report = Report::default();
    for (index, (sum, got)) in sums.iter().zip(d).enumerate() {
        let got = got.to_f32();
        let (ulp, allowed) = sum.judge(D::DTYPE, got, summed);
        report.add(Finding {
            index,
            x: 0.0,
            dy: None,
            got,
            want: sum.value,
            ulp,
            allowed,
        });
    }
    Ok(report)
}

/// Units of 2^-24 that summing may cost.
const SUMMING: f64 = 4.0;

/// A sum of shares, with what is allowed to it.
#[derive(Clone, Copy, Debug, Default)]
struct Sum64 {
    value: f64,
    magnitudes: f64,
    /// What the shares add up to: as the enclosures have it, and as is promised of sums.
    enclosed: Enclosure,
    promised: Enclosure,
    anything: bool,
    nan: bool,
}

impl Sum64 {
    fn add(&mut self, shares: &Shares, x: f32, dy: f32, index: usize) {
        let eval = &shares.eval;
        self.nan |= x.is_nan() || dy.is_nan();
        self.anything |= eval.takes_nan(index);
        if self.nan || self.anything {
            return;
        }
        let share = shares.at(x, dy, index);
        let (mut value, mut slopes) = (Enclosure::exact(x), Vec::new());
        for (at, step) in eval.steps.iter().enumerate() {
            let p = eval.parameters(step, index);
            match at.cmp(&shares.step) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => {
                    slopes.push(value.share(step, &p, shares.parameter, &shares.name));
                }
                std::cmp::Ordering::Greater => slopes.push(value.slope(step, &p)),
            }
            value = value.through(step, &p);
        }
        let enclosure = slopes.into_iter().rev().fold(Enclosure::exact(dy), product);
        let mut promised = enclosure;
        let mut magnitude = share.abs();
        if let [step] = eval.steps.as_slice() {
            let (p, dy) = (eval.parameters(step, index), f64::from(dy));
            let of = Of::Share(shares.parameter, &shares.name);
            magnitude = magnitude.max(floor(step, &p, x.into(), of) * dy.abs());
            let subnormal = MIN_NORMAL * dy.abs().max(1.0);
            let off = step.budget() * magnitude * 2f64.powi(-24) + subnormal;
            // A product with x is rounded here as it is for an element by itself.
            let rounded = rounded_product(step, &p)
                .map(|p| dy * step.share(shares.parameter, &shares.name, x.into(), &p));
            let Enclosure { lo, hi } = Enclosure::hull(rounded.chain([share]));
            promised = Enclosure {
                lo: enclosure.lo.max(lo - off),
                hi: enclosure.hi.min(hi + off),
            };
        }
        self.anything |= !(enclosure.hi - enclosure.lo).is_finite();
        self.value += share;
        self.magnitudes += magnitude;
        self.enclosed = self.enclosed.plus(enclosure);
        self.promised = self.promised.plus(promised);
    }

    fn judge(&self, dtype: DType, got: f32, summed: bool) -> (f64, f64) {
        if self.nan {
            return must_be_nan(got);
        }
        let summing = if summed {
            SUMMING * self.magnitudes * 2f64.powi(-24)
        } else {
            0.0
        };
        // Sums are f32, whatever they are stored as.
        if self.anything || self.magnitudes > MAX {
            return (0.0, 0.0);
        }
        let shares = if summed { self.promised } else { self.enclosed };
        let off = summing + MIN_NORMAL;
        let off = Enclosure { lo: -off, hi: off };
        let Enclosure { lo, hi } = shares.plus(off).stored().rounded_to(dtype);
        let got = f64::from(got);
        if got.is_nan() {
            return (f64::INFINITY, 0.0);
        }
        if got.is_infinite() && lo <= got && got <= hi {
            return (0.0, 0.0);
        }
        let side = if got < self.value { lo } else { hi };
        let unit = (self.magnitudes * 2f64.powi(-24)).max(ulp_in(dtype, 0.0));
        let [error, allowed] = [got, side].map(|v| (v - self.value).abs() / unit);
        (error, allowed)
    }
}

/// Inputs that try a chain: somewhat more than `count`, the same ones every time. Half of them step
/// through the bit patterns of all f32, NaN and infinities included; half lie densely where activations
/// bend and fade out; the rest lies around the knots and roots of each step's activation, seen through
/// the scales before it, and at the edges of the format.
pub fn inputs(chain: &Chain, count: usize) -> Vec<f32> {
    let half = count / 2 + 1;
    let mut x = Vec::with_capacity(count + 4096);
    let stride = (u32::MAX as usize / half).max(1) | 1;
    x.extend((0..=u32::MAX).step_by(stride).map(f32::from_bits));
    for i in 0..half {
        let at = (i as f32 + 0.37) / half as f32 * 2.0 - 1.0;
        x.push(at * if i % 2 == 0 { 12.0 } else { 120.0 });
    }
    let edges = [
        0.0,
        1.0,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
        f32::from_bits(1),
        1e-6,
        88.0,
    ];
    x.extend(edges.into_iter().flat_map(|v| [v, -v]));
    x.extend([
        f32::NAN,
        -f32::NAN,
        f32::from_bits(0x7f80_0001),
        f32::from_bits(0xffff_ffff),
    ]);
    let mut scale = 1.0;
    for step in chain.steps() {
        let constants: Option<Vec<f32>> = step
            .arguments()
            .iter()
            .map(|argument| match argument {
                Argument::Constant(value) => Some(*value),
                Argument::Operand(_) => None,
            })
            .collect();
        match (step.function(), constants.as_deref()) {
            (Function::Scale, Some([factor])) => scale *= f64::from(*factor),
            (Function::Activation(activation), constants) => {
                let activation = constants.map_or(*activation, |c| activation.with_values(c));
                let points = special_points(&activation).into_iter();
                x.extend(points.flat_map(|v| around((v / scale) as f32)));
            }
            _ => {}
        }
    }
    x
}

fn special_points(activation: &Activation) -> Vec<f64> {
    let room = activation.entry().room;
    let unit = room
        .product
        .map_or(1.0, |index| activation.values_f64()[index]);
    let mut points = activation.knots();
    points.extend(room.roots.iter().map(|root| root / unit));
    points
}

/// The 129 f32 nearest to a value.
fn around(v: f32) -> impl Iterator<Item = f32> {
    let bits = i64::from(v.to_bits());
    (-64..=64).filter_map(move |step| u32::try_from(bits + step).ok().map(f32::from_bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One ULP more than allowed must be caught, wherever it is; what is allowed must pass.
    #[test]
    fn the_budget_is_the_border() {
        let chain = Chain::from(Activation::Sigmoid);
        for x in [-80.0f32, -1.0, 0.3, 5.0] {
            let want = crate::reference::forward(&chain, &[x]).unwrap()[0];
            let off = |ulps: f64| (want + ulps * ulp(want)) as f32;
            assert!(forward(&chain, &[x], &[off(3.4)]).unwrap().passes(), "{x}");
            assert!(!forward(&chain, &[x], &[off(4.6)]).unwrap().passes(), "{x}");
            assert!(
                !forward(&chain, &[x], &[off(-4.6)]).unwrap().passes(),
                "{x}"
            );
        }
    }

    #[test]
    fn one_bad_element_among_many_decides() {
        let chain = Chain::from(Activation::Relu);
        let x = vec![1.0; 10_000];
        let mut y = x.clone();
        y[7_777] = 1.00001;
        let report = forward(&chain, &x, &y).unwrap();
        assert_eq!((report.compared, report.failed), (10_000, 1));
        assert_eq!(report.worst.unwrap().index, 7_777);
    }

    /// Elements that need no enclosure are left out of nothing that a report says.
    #[test]
    fn the_short_way_finds_what_the_long_way_finds() {
        for text in [
            "silu",
            "exp",
            "softplus(2)",
            "acon_c",
            "gelu",
            "scale(3) | tanh",
        ] {
            let chain: Chain = text.parse().unwrap();
            let x = inputs(&chain, 20_000);
            let dy = vec![1.0; x.len()];
            for expected in [
                Expected::forward(&chain, &x).unwrap(),
                Expected::backward(&chain, &x, &dy).unwrap(),
            ] {
                // Errors of up to 5 ULP, a NaN, an infinity and a zero here and there.
                let got = expected
                    .wants
                    .iter()
                    .enumerate()
                    .map(|(i, want)| match i % 1013 {
                        0 => f32::NAN,
                        1 => f32::INFINITY,
                        2 => 0.0,
                        k => (want + (k as f64 / 1013.0 * 5.0 - 1.0) * ulp(*want)) as f32,
                    });
                let got: Vec<f32> = got.collect();
                let judged = |index: &usize| {
                    let (ulp, allowed) = expected.judge(DType::F32, *index, got[*index]);
                    ulp > allowed
                };
                let report = expected.compare(&got).unwrap();
                let failed = (0..got.len()).filter(judged).count();
                assert_eq!(
                    (report.compared, report.failed),
                    (got.len(), failed),
                    "{chain}"
                );
                assert!(failed > 0 && failed < got.len());
                assert_eq!(report.worst.unwrap().ulp, f64::INFINITY);
            }
        }
    }

    #[test]
    fn non_finite_results_are_judged() {
        let chain = Chain::from(Activation::Silu);
        let pass = |x: f32, y: f32| forward(&chain, &[x], &[y]).unwrap().passes();
        assert!(pass(f32::NAN, f32::NAN) && !pass(f32::NAN, 0.0));
        assert!(!pass(1.0, f32::NAN) && !pass(1.0, f32::INFINITY));
        assert!(pass(f32::INFINITY, f32::INFINITY) && !pass(f32::INFINITY, 0.0));
        assert!(!pass(f32::INFINITY, f32::NAN) && !pass(f32::INFINITY, f32::NEG_INFINITY));
        assert!(pass(f32::NEG_INFINITY, 0.0) && !pass(f32::NEG_INFINITY, f32::NAN));
        assert!(!pass(f32::NEG_INFINITY, -1.0));
    }

    #[test]
    fn subnormals_may_be_flushed_and_overflow_may_be_infinite() {
        let relu = Chain::from(Activation::Relu);
        let tiny = f32::from_bits(1000);
        assert!(
            forward(&relu, &[tiny, tiny], &[tiny, 0.0])
                .unwrap()
                .passes()
        );
        assert!(
            backward(&relu, &[tiny, tiny], &[1.0, 1.0], &[1.0, 0.0])
                .unwrap()
                .passes()
        );
        let huge = Chain::new()
            .scale(1e30)
            .scale(1e30)
            .scale(1e-30)
            .scale(1e-30);
        assert!(
            forward(&huge, &[1.0, 1.0], &[1.0, f32::INFINITY])
                .unwrap()
                .passes()
        );
        assert!(
            !forward(&huge, &[1.0], &[f32::NEG_INFINITY])
                .unwrap()
                .passes()
        );
    }

    #[test]
    fn a_chain_is_allowed_what_its_steps_pass_on() {
        // Softplus far below zero is e^x: an error of half a ULP in 0.3 x is worth many there.
        let chain: Chain = "scale(0.3) | softplus".parse().unwrap();
        let x = -200.1f32;
        let rounded = (f64::from(0.3 * x)).exp() as f32;
        let report = forward(&chain, &[x], &[rounded]).unwrap();
        assert!(report.passes(), "{report:?}");
        assert!(report.worst.unwrap().allowed > 6.0);
        assert!(
            !forward(&chain, &[x], &[rounded * 1.00001])
                .unwrap()
                .passes()
        );
    }

    #[test]
    fn near_a_root_the_scale_is_an_eighth() {
        let chain = Chain::from(Activation::Silu);
        let x = -1.278_464_5_f32;
        let want = crate::reference::backward(&chain, &[x], &[1.0]).unwrap()[0];
        let dx = |ulps: f64| [(want + ulps * ulp(ROOT_SCALE)) as f32];
        assert!(backward(&chain, &[x], &[1.0], &dx(3.9)).unwrap().passes());
        assert!(!backward(&chain, &[x], &[1.0], &dx(4.1)).unwrap().passes());
    }

    #[test]
    fn where_parameters_let_terms_cancel_the_scale_is_the_terms() {
        let passes = |text: &str, x: f32, scale: f64, ulps: f64| {
            let chain: Chain = text.parse().unwrap();
            let want = crate::reference::forward(&chain, &[x]).unwrap()[0];
            let y = (want + ulps * ulp(scale)) as f32;
            forward(&chain, &[x], &[y]).unwrap().passes()
        };
        // 0.71^2 - 0.5 is nearly zero, 0.71^2 + 0.5 and 2^2 + 0.5 are not.
        assert!(passes("star_relu(1, -0.5)", 0.71, 1.0, 3.9));
        assert!(!passes("star_relu(1, -0.5)", 0.71, 1.0, 4.1));
        for x in [0.71, 2.0] {
            let scale = f64::from(x).powi(2) + 0.5;
            assert!(passes("star_relu(1, 0.5)", x, scale, 3.4), "{x}");
            assert!(!passes("star_relu(1, 0.5)", x, scale, 4.6), "{x}");
        }
    }

    /// Whether `d` passes for the gradient of the operand `@p`, whose one value is shared.
    fn sum_passes<D: Element>(text: &str, value: f32, x: &[f32], dy: &[f32], d: D) -> bool {
        let values = Values::new().arg("p", &[value]);
        let chain: Chain = text.parse().unwrap();
        let report = gradient(&chain, x, dy, &values, "p", &[d]).unwrap();
        report.passes()
    }

    /// Whether the reference's gradient passes when it is off by so many units of 2^-24 of the only share that
    /// is not zero, give or take the one that f32 rounds to.
    fn sum_off_by(text: &str, value: f32, x: f32, dy: f32, units: f64) -> bool {
        let values = Values::new().arg("p", &[value]);
        let chain: Chain = text.parse().unwrap();
        let (x, dy) = ([x, 0.0], [dy, 0.0]);
        let want = crate::reference::gradient(&chain, &x, &dy, &values, "p").unwrap()[0];
        let got = (want + units * 2f64.powi(-24) * want) as f32;
        sum_passes(text, value, &x, &dy, got)
    }

    #[test]
    fn a_sum_is_allowed_its_budget_and_the_summing() {
        for (text, value, x) in [
            ("prelu(weight=@p)", 0.3, -1.3),
            ("celu(alpha=@p)", 1.7, -3.1),
            ("acon_c(p1=0.7, p2=@p, beta=0.001)", 0.2, 1.2),
            // A product with 1 is not rounded.
            ("swish(beta=@p)", 1.0, -20.0),
        ] {
            for sign in [1.0, -1.0] {
                assert!(sum_off_by(text, value, x, 1.1, 6.9 * sign), "{text}");
                assert!(!sum_off_by(text, value, x, 1.1, 9.1 * sign), "{text}");
            }
        }
    }

    /// s (1 - s) changes by |z| ULP with one ULP of z, which swish rounds once and ACON three times.
    #[test]
    fn a_sum_is_allowed_the_rounding_of_a_product_with_x() {
        for (text, value, x, roundings) in [
            ("swish(beta=@p)", 1.1, -20.0, 22.0),
            ("swish(beta=@p)", -0.9, 50.0, 45.0),
            ("acon_b(p=0.25, beta=@p)", -2.182_952_6, 6.0, 3.0 * 9.82),
            ("acon_b(p=0.25, beta=@p)", 1.0, -10.0, 3.0 * 7.49),
        ] {
            for sign in [1.0, -1.0] {
                let off = |units: f64| sum_off_by(text, value, x, 1.1, units * sign);
                assert!(off(6.9 + roundings), "{text}");
                assert!(!off(9.1 + roundings), "{text}");
            }
        }
        // What a kernel that is right has given.
        let passes = |got: f32| {
            let (x, dy) = ([6.0, 3.175_702], [3.0, -0.0]);
            sum_passes("acon_b(p=0.25, beta=@p)", -2.182_952_6, &x, &dy, got)
        };
        let (got, want) = (f32::from_bits(0x3b57_aa4e), 3.290_788_3e-3);
        assert!(passes(got) && !passes(want + 4.0 * (got - want)));
    }

    /// Where the reference is zero and a result rightly is not, the result's ULP count.
    #[test]
    fn what_is_stored_is_rounded_where_it_lies() {
        use crate::half::{bf16, f16};
        // Whether sigmoid(x) is zero or subnormal decides between 1e-6 and 0.
        let xielu = "sigmoid | xielu(alpha_p=0.8, alpha_n=@p, beta=0.5, eps=-0.000001)";
        let (x, dy) = ([-125.5], [-0.949_218_75]);
        let passes = |got: bf16| sum_passes(xielu, 0.8, &x, &dy, got);
        let end = bf16::from_f64(0.949_218_75e-6);
        assert!(passes(end) && passes(bf16::from_f64(0.0)));
        assert!(!passes(bf16::from_bits(end.to_bits() + 1)));
        assert!(!passes(bf16::from_f64(-1e-8)) && !passes(bf16::from_f64(2e-6)));
        // Sums of them too.
        let passes = |got: f64| {
            sum_passes(
                xielu,
                0.8,
                &[-125.5; 8],
                &[-0.949_218_75; 8],
                bf16::from_f64(got),
            )
        };
        assert!(passes(7.593_75e-6) && !passes(7.63e-6) && !passes(-1e-8));
        // A sum that the storage dtype cannot hold is infinite or its largest value; one of large shares
        // that cancel is judged as others are.
        let (x, dy) = ([60_000.0, -59_000.0], [1.0, 1.0]);
        let passes = |x: &[f32], got: f32| sum_passes("scale(@p)", 1.0, x, &dy, f16::from_f32(got));
        assert!(passes(&x, 1000.0) && !passes(&x, 1001.0) && !passes(&x, f32::INFINITY));
        let x = [60_000.0, 59_000.0];
        assert!(passes(&x, f32::INFINITY) && passes(&x, 65_504.0));
        assert!(!passes(&x, f32::NEG_INFINITY) && !passes(&x, 65_472.0));
    }

    #[test]
    fn inputs_reach_every_kind_of_value() {
        let x = inputs(&Chain::from(Activation::Hardswish), 30_000);
        assert!(x.len() >= 30_000);
        for wanted in [
            0.0,
            -3.0,
            3.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::from_bits(1),
        ] {
            assert!(x.contains(&wanted), "{wanted:e}");
        }
        assert!(x.iter().any(|v| v.is_nan()));
    }
}
