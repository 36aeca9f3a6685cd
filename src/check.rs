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
//! - What is stored as f16 or bf16 is rounded once more, by half a ULP of that dtype.
//! - A NaN in x or dy must give NaN. Where the reference itself has no value (infinity times zero),
//!   anything is accepted.

use crate::reference::{Step64, at};
use crate::ulp::{ulp, ulp_in};
use crate::{Activation, Chain, DType, Element, Error, error::same_length};

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
#[derive(Clone, Copy, Debug, PartialEq)]
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

    /// The image under a step's function, with that function's own error.
    fn through(self, step: &Step64, derivative: bool) -> Enclosure {
        if self.is_anything() {
            return self;
        }
        let (room, p) = match step {
            Step64::Scale(factor) if derivative => return Self::hull([*factor]).stored(),
            Step64::Scale(factor) => {
                return self
                    .times(Self::hull([*factor]).stored())
                    .widened(ROUNDING, 0.0);
            }
            Step64::Activation(room, p) => (room, p),
        };
        let f = if derivative { room.dx } else { room.y };
        let middle = (self.lo + self.hi) / 2.0;
        // A product with 1 is exact. Where it is not, the kernel rounds the product of x and the
        // parameter: the function is seen at either end of that rounding.
        let mut nudged = Vec::new();
        if let Some(index) = room.product
            && (p[index] != 1.0 || room.roundings > 1.0)
        {
            let half = room.roundings * ROUNDING * f64::from(f32::EPSILON);
            nudged.extend([-half, half].map(|by| {
                let mut p = p.clone();
                p[index] *= 1.0 + by;
                p
            }));
        }
        let mut image = Self::NOTHING;
        let mut see = |x: f64| {
            if !x.is_nan() {
                image = image.and(at(f, x, p));
                nudged.iter().for_each(|p| image = image.and(at(f, x, p)));
            }
        };
        see(middle);
        if self.lo < self.hi {
            // Values and derivatives turn at zero and at knots, if they turn within so short an interval.
            let knots = (room.knots)(p).into_iter().chain([0.0]);
            let inside = knots.filter(|x| self.lo < *x && *x < self.hi);
            [self.lo, self.hi].into_iter().chain(inside).for_each(see);
        }
        image.widened(room.budget, floor(step, middle, derivative))
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

/// The magnitude below which a value's or a derivative's ULP are not measured at `x`.
fn floor(step: &Step64, x: f64, derivative: bool) -> f64 {
    let Step64::Activation(room, p) = step else {
        return 0.0;
    };
    if !derivative {
        return at(room.y_terms, x, p);
    }
    let z = room.product.map_or(x, |index| p[index] * x);
    let near = room
        .roots
        .iter()
        .any(|root| (z - root).abs() <= ROOT_WINDOW);
    let scale = if near { ROOT_SCALE } else { 0.0 };
    at(room.dx_terms, x, p).max(scale)
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

/// What a pass should give: evaluated once, to compare several results with.
///
/// ```
/// let expected = nonlin::check::Expected::forward(&"sigmoid".parse()?, &[0.0, 1.0])?;
/// assert!(expected.compare(&[0.5, 0.731_058_6])?.passes());
/// assert!(!expected.compare(&[0.5, 0.731_06])?.passes());
/// # Ok::<(), nonlin::Error>(())
/// ```
pub struct Expected {
    steps: Vec<Step64>,
    x: Vec<f32>,
    /// For a backward pass.
    dy: Option<Vec<f32>>,
    wants: Vec<f64>,
}

impl Expected {
    /// The chain's value at `x`.
    ///
    /// # Errors
    /// As [`reference::forward`](crate::reference::forward).
    pub fn forward<X: Element>(chain: &Chain, x: &[X]) -> Result<Self, Error> {
        Ok(Expected {
            steps: Step64::of(chain)?,
            wants: crate::reference::forward(chain, x)?,
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
        Ok(Expected {
            steps: Step64::of(chain)?,
            wants: crate::reference::backward(chain, x, dy)?,
            x: x.iter().map(|x| x.to_f32()).collect(),
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
        match (dtype, self.steps.as_slice(), &self.dy) {
            (DType::F32, [Step64::Activation(room, _)], None) => room.budget,
            (DType::F32, [Step64::Activation(room, _)], Some(dy))
                if dy.iter().all(|v| *v == 1.0) =>
            {
                room.budget
            }
            _ => 0.0,
        }
    }

    /// The error of one element and what is allowed to it, in ULP.
    fn judge(&self, dtype: DType, index: usize, got: f32) -> (f64, f64) {
        let (x, want) = (self.x[index], self.wants[index]);
        let dy = self.dy.as_ref().map(|dy| dy[index]);
        if x.is_nan() || dy.is_some_and(f32::is_nan) {
            return (if got.is_nan() { 0.0 } else { f64::INFINITY }, 0.0);
        }
        let floor = match self.steps.as_slice() {
            [step] => {
                let floor = floor(step, f64::from(x), dy.is_some());
                dy.map_or(floor, |dy| floor * f64::from(dy).abs())
            }
            _ => 0.0,
        };
        let flushed = x.is_subnormal() || dy.is_some_and(f32::is_subnormal);
        self.enclosure(x, dy)
            .judge(dtype, got, want, floor, flushed)
    }

    /// All results that are allowed at x, and dy if it is a backward pass.
    fn enclosure(&self, x: f32, dy: Option<f32>) -> Enclosure {
        let mut value = Enclosure::exact(x);
        let Some(dy) = dy else {
            return self
                .steps
                .iter()
                .fold(value, |e, step| e.through(step, false));
        };
        let mut slopes = Vec::with_capacity(self.steps.len());
        for (index, step) in self.steps.iter().enumerate() {
            slopes.push(value.through(step, true));
            if index + 1 < self.steps.len() {
                value = value.through(step, false);
            }
        }
        let one = Enclosure::exact(1.0);
        let start = Enclosure::exact(dy);
        slopes
            .iter()
            .rev()
            .fold(start, |gradient, slope| match gradient {
                _ if gradient == one => *slope,
                _ if *slope == one => gradient,
                _ => gradient.times(*slope).widened(ROUNDING, 0.0),
            })
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
        match step {
            crate::Step::Scale(factor) => scale *= f64::from(*factor),
            crate::Step::Activation(activation) => {
                x.extend(
                    special_points(activation)
                        .into_iter()
                        .flat_map(|v| around((v / scale) as f32)),
                );
            }
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
