//! Enclosures: the interval of all values that a correct kernel may hold, and what steps make of it.

use crate::act::{Counts, Room};
use crate::reference::{FromValue, Kind64, Step64, at, rounded};
use crate::tensor::dtype::DType;
use crate::ulp::{ulp, ulp_in};
use std::borrow::Cow;

/// How far from a root of a derivative its ULP are measured at [`ROOT_SCALE`].
pub const ROOT_WINDOW: f64 = 0.25;

/// The magnitude at which ULP are measured near a root.
pub const ROOT_SCALE: f64 = 0.125;

pub(super) const MAX: f64 = f32::MAX as f64;
pub(super) const MIN_NORMAL: f64 = f32::MIN_POSITIVE as f64;

/// Error of a correctly rounded operation, in ULP.
pub(super) const ROUNDING: f64 = 0.5;

/// All values that a correct kernel may hold: those from `lo` to `hi`, none where `lo` is above, and NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Enclosure {
    pub(super) lo: f64,
    pub(super) hi: f64,
    pub(super) nan: bool,
}

impl Enclosure {
    const NOTHING: Enclosure = Enclosure {
        lo: f64::INFINITY,
        hi: f64::NEG_INFINITY,
        nan: false,
    };

    pub(super) fn hull(values: impl IntoIterator<Item = f64>) -> Enclosure {
        values.into_iter().fold(Self::NOTHING, Self::and)
    }

    /// Takes in one more value.
    pub(super) fn and(self, v: f64) -> Enclosure {
        // Of two, min and max take that which is not NaN.
        Enclosure {
            lo: self.lo.min(v),
            hi: self.hi.max(v),
            nan: self.nan | v.is_nan(),
        }
    }

    /// The same, and NaN if that may be.
    fn or_nan(self, nan: bool) -> Enclosure {
        Enclosure {
            nan: self.nan | nan,
            ..self
        }
    }

    /// A value as the kernel finds it in memory.
    pub(super) fn exact(v: f32) -> Enclosure {
        Self::hull([f64::from(v)]).stored()
    }

    /// NaN where there is no number among them.
    fn middle(self) -> f64 {
        if self.is_empty() {
            f64::NAN
        } else if self.lo == self.hi {
            self.lo
        } else {
            (self.lo + self.hi) / 2.0
        }
    }

    /// Whether there is no number among them.
    fn is_empty(self) -> bool {
        self.lo > self.hi
    }

    pub(super) fn must_be_nan(self) -> bool {
        self.is_empty() && self.nan
    }

    fn is_infinite(self) -> bool {
        self.lo.is_infinite() || self.hi.is_infinite()
    }

    pub(super) fn has_zero(self) -> bool {
        self.lo <= 0.0 && self.hi >= 0.0
    }

    /// What becomes of the values when they are held as f32: overflow and flushed subnormals.
    pub(super) fn stored(self) -> Enclosure {
        let Enclosure {
            mut lo,
            mut hi,
            nan,
        } = self;
        if self.is_empty() {
            return self;
        }
        (lo, hi) = overflowed(lo, hi, MAX);
        if lo > 0.0 && lo < MIN_NORMAL {
            lo = 0.0;
        }
        if hi < 0.0 && hi > -MIN_NORMAL {
            hi = 0.0;
        }
        Enclosure { lo, hi, nan }
    }

    /// Allows an error of `budget` ULP, measured at a magnitude of at least `floor`.
    pub(super) fn widened(self, budget: f64, floor: f64) -> Enclosure {
        if self.is_empty() {
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
            nan: self.nan,
        }
        .stored()
    }

    pub(super) fn times(self, other: Enclosure) -> Enclosure {
        let nan = self.nan | other.nan;
        if self.is_empty() || other.is_empty() {
            return Self::NOTHING.or_nan(nan);
        }
        let products = [
            self.lo * other.lo,
            self.lo * other.hi,
            self.hi * other.lo,
            self.hi * other.hi,
        ];
        // Zero times infinity, also where zero is between the ends; and zero times what is finite.
        let of_zero = |a: Self, b: Self| a.has_zero() && b.is_infinite();
        let nans = of_zero(self, other) || of_zero(other, self);
        let finite = |a: Self, b: Self| of_zero(a, b) && b.lo < b.hi;
        let zero = (finite(self, other) || finite(other, self)).then_some(0.0);
        Self::hull(products.into_iter().filter(|v| !v.is_nan()).chain(zero)).or_nan(nan | nans)
    }

    pub(super) fn plus(self, other: Enclosure) -> Enclosure {
        let nan = self.nan | other.nan;
        if self.is_empty() || other.is_empty() {
            return Self::NOTHING.or_nan(nan);
        }
        let (least, most) = (f64::NEG_INFINITY, f64::INFINITY);
        let opposite =
            (self.hi == most && other.lo == least) || (self.lo == least && other.hi == most);
        Self::hull([self.lo + other.lo, self.hi + other.hi]).or_nan(nan | opposite)
    }

    /// The values behind a step.
    pub(super) fn through(self, step: &Step64, p: &Parameters<'_>) -> Enclosure {
        match &step.function {
            // What dropout drops is zero, but for NaN.
            Kind64::Product if step.drops(&p.middle) && self.is_empty() => self,
            Kind64::Product if step.drops(&p.middle) => Self::hull([0.0]).or_nan(self.nan),
            Kind64::Product => self.times(p.first()).widened(ROUNDING, 0.0),
            Kind64::Sum => self.plus(p.first()).widened(ROUNDING, 0.0),
            Kind64::Round(_) if self.is_empty() => self,
            // It keeps the order of numbers.
            Kind64::Round(dtype) => {
                let ends = [self.lo, self.hi].map(|v| rounded(*dtype, v));
                Self::hull(ends).or_nan(self.nan).stored()
            }
            _ => self.image(step, p, Of::Value),
        }
    }

    /// A step's derivatives at these values.
    pub(super) fn slope(self, step: &Step64, p: &Parameters<'_>) -> Enclosure {
        match &step.function {
            Kind64::Product => p.first(),
            Kind64::Sum | Kind64::Round(_) => Self::hull([1.0]),
            _ => self.image(step, p, Of::Slope),
        }
    }

    /// A step's second derivatives.
    pub(super) fn bend(self, step: &Step64, p: &Parameters<'_>) -> Enclosure {
        match step.is_straight() {
            true => Self::hull([0.0]).or_nan(self.nan),
            false => self.image(step, p, Of::Bend),
        }
    }

    /// A step's derivatives with respect to a parameter.
    pub(super) fn share(
        self,
        step: &Step64,
        p: &Parameters<'_>,
        parameter: usize,
        name: &str,
    ) -> Enclosure {
        match &step.function {
            Kind64::Product => self,
            Kind64::Sum => Self::hull([1.0]),
            _ => self.image(step, p, Of::Share(parameter, name)),
        }
    }

    /// A number as the kernel finds it in memory.
    pub(super) fn constant(v: f64) -> Enclosure {
        Self::hull([v]).stored()
    }

    /// The image under one of a step's functions, with that function's own error.
    pub(super) fn image(self, step: &Step64, parameters: &Parameters<'_>, of: Of<'_>) -> Enclosure {
        let f = |x: f64, p: &[f64]| match of {
            Of::Value => step.value(x, p),
            Of::Slope => step.slope(x, p),
            Of::Bend => step.bend(x, p),
            Of::Share(parameter, name) => step.share(parameter, name, x, p),
            Of::FromValue(dx) => at(dx, x, p),
        };
        if self.is_empty() {
            return self;
        }
        let spoiled = parameters.spoiled(step);
        if spoiled.is_empty() {
            return spoiled;
        }
        let p = &parameters.middle[..];
        let middle = self.middle();
        let room = step.room();
        let from_value = matches!(of, Of::FromValue(_));
        let nudged = parameters.nudged(step, from_value);
        let mut image = Self::NOTHING.or_nan(self.nan | spoiled.nan);
        let mut see = |x: f64| {
            if !x.is_nan() {
                image = image.and(f(x, p));
                nudged.iter().for_each(|p| image = image.and(f(x, p)));
            }
        };
        see(middle);
        if self.lo < self.hi {
            let knots = match room {
                Some(room) if !from_value => (room.knots)(p),
                _ => Vec::new(),
            };
            self.places(knots).for_each(see);
        }
        if (image.lo, image.hi) == (0.0, 0.0) && of.is_flat(step) {
            return image;
        }
        let swing = swing(step, p, of, middle);
        if swing > 0.0 && !image.is_empty() {
            let by = swing * self.turn(p, &nudged).min(2.0);
            image = image.and(image.lo - by).and(image.hi + by);
        }
        let budget = match (of, step.room_bend()) {
            (Of::Bend, Some(bend)) => bend.budget,
            _ => step.budget(),
        };
        image.widened(budget, floor(step, p, middle, of))
    }

    /// The ends, and where values and derivatives turn between them: at zero and at knots, if they turn within so short an
    /// interval.
    fn places(self, knots: Vec<f64>) -> impl Iterator<Item = f64> {
        let inside = knots.into_iter().chain([0.0]);
        let inside = inside.filter(move |x| self.lo < *x && *x < self.hi);
        // Zero as a flushed number is still on that number's side of a knot there.
        let beside = [(self.lo, f64::MIN_POSITIVE), (self.hi, -f64::MIN_POSITIVE)];
        let beside = beside.into_iter().filter(|(end, _)| *end == 0.0);
        let beside = beside.map(|(_, x)| x);
        [self.lo, self.hi].into_iter().chain(inside).chain(beside)
    }

    /// How far the product with the first parameter may turn among these values and parameters.
    fn turn(self, p: &[f64], nudged: &[Vec<f64>]) -> f64 {
        let middle = self.middle().abs();
        let angles = nudged.iter().map(|other| (other[0] - p[0]).abs() * middle);
        angles.fold(0.0, f64::max) + (self.hi - self.lo) * p[0].abs()
    }

    /// What becomes of the values when they are rounded to a dtype for storage.
    pub(super) fn rounded_to(self, dtype: DType) -> Enclosure {
        if dtype == DType::F32 || self.is_empty() {
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
        let Enclosure {
            mut lo,
            mut hi,
            nan,
        } = self;
        (lo, hi) = (lo - half(lo), hi + half(hi));
        (lo, hi) = overflowed(lo, hi, max);
        Enclosure { lo, hi, nan }
    }

    /// Judges a result of a dtype against the reference value and this enclosure: its error and what is
    /// allowed, in ULP. `flushed`: the input is one that a driver may take for zero.
    pub(super) fn judge(
        self,
        dtype: DType,
        got: f32,
        want: f64,
        floor: f64,
        flushed: bool,
    ) -> (f64, f64) {
        let Enclosure { lo, hi, nan } = self.rounded_to(dtype);
        let got = f64::from(got);
        if got.is_nan() != nan && (got.is_nan() || self.is_empty()) {
            return (f64::INFINITY, 0.0);
        }
        if got.is_nan() {
            return (0.0, 0.0);
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

/// A step's parameters at an element.
pub(super) struct Parameters<'a> {
    /// What they are, or the middle of what they may be.
    middle: Cow<'a, [f64]>,
    /// Those that a branch computes.
    branches: Vec<(usize, Enclosure)>,
}

impl<'a> Parameters<'a> {
    pub(super) fn exact(p: Cow<'a, [f64]>) -> Self {
        Parameters {
            middle: p,
            branches: Vec::new(),
        }
    }

    /// Says what a branch may have made of a parameter.
    pub(super) fn set(&mut self, parameter: usize, may_be: Enclosure) {
        self.middle.to_mut()[parameter] = may_be.middle();
        self.branches.push((parameter, may_be));
    }

    /// What the first may be.
    fn first(&self) -> Enclosure {
        match self.branches.first() {
            Some((_, may_be)) => *may_be,
            None => Enclosure::constant(self.middle[0]),
        }
    }

    /// Combinations of the ends of what branches may have made.
    fn corners(&self) -> Vec<Vec<f64>> {
        let mut corners: Vec<Vec<f64>> = Vec::new();
        for (parameter, may_be) in &self.branches {
            let before = corners.iter().cloned().chain([self.middle.to_vec()]);
            let before: Vec<_> = before.collect();
            let nan = may_be.nan.then_some(f64::NAN);
            for end in [may_be.lo, may_be.hi].into_iter().chain(nan) {
                corners.extend(before.iter().cloned().map(|mut p| {
                    p[*parameter] = end;
                    p
                }));
            }
        }
        corners
    }

    /// What they may be besides, by what branches, the rounding of products and random numbers make of them.
    fn nudged(&self, step: &Step64, from_value: bool) -> Vec<Vec<f64>> {
        let corners = self.corners();
        let mut nudged = corners.clone();
        if !from_value {
            nudged.extend(rounded_product(step, &self.middle));
            nudged.extend(corners.iter().flat_map(|p| rounded_product(step, p)));
        }
        if step.jitter() > 0.0 {
            // A parameter that was drawn.
            nudged.extend(nudge(&self.middle, 0, step.jitter()));
        }
        nudged
    }

    /// Whether a parameter that is used whatever the input may be NaN: empty where one must be.
    fn spoiled(&self, step: &Step64) -> Enclosure {
        let mut spoiled = Enclosure::hull([0.0]);
        for (parameter, may_be) in &self.branches {
            if step.counts(*parameter) == Counts::Everywhere {
                spoiled = match may_be.is_empty() {
                    true => return Enclosure::NOTHING.or_nan(true),
                    false => spoiled.or_nan(may_be.nan),
                };
            }
        }
        spoiled
    }
}

/// One of a step's functions.
#[derive(Clone, Copy)]
pub(super) enum Of<'a> {
    Value,
    /// The derivative.
    Slope,
    /// The second derivative.
    Bend,
    /// The derivative with respect to a parameter, by index and name.
    Share(usize, &'a str),
    /// The derivative as a function of the value.
    FromValue(FromValue),
}

impl Of<'_> {
    /// Whether a kernel has zero exactly where the function is zero.
    fn is_flat(self, step: &Step64) -> bool {
        match self {
            Of::Value => false,
            Of::Slope | Of::FromValue(_) => step.is_mask(),
            Of::Bend => is_bend_mask(step),
            Of::Share(_, name) => step.is_share_mask(name),
        }
    }
}

/// Ends beyond the largest finite value: what was finite may be rounded to it, or be infinite; what is infinite is.
fn overflowed(lo: f64, hi: f64, max: f64) -> (f64, f64) {
    let (mut ends, infinite) = ((lo, hi), f64::INFINITY);
    if hi > max {
        ends = (if lo == infinite { lo } else { lo.min(max) }, infinite);
    }
    if lo < -max {
        ends = (
            -infinite,
            if hi == -infinite {
                hi
            } else {
                ends.1.max(-max)
            },
        );
    }
    ends
}

/// The parameters with one of them at either end of what it may be.
pub(super) fn nudge(p: &[f64], index: usize, by: f64) -> impl Iterator<Item = Vec<f64>> {
    [-by, by].into_iter().map(move |by| {
        let mut p = p.to_vec();
        p[index] += by;
        p
    })
}

/// How far a function swings that is made of sines; 0 of others.
fn swing(step: &Step64, p: &[f64], of: Of<'_>, x: f64) -> f64 {
    let Some(turns) = step.room().and_then(|room| room.turns.as_ref()) else {
        return 0.0;
    };
    // Without an angle there is nothing that turns.
    if p[0] == 0.0 {
        return 0.0;
    }
    match of {
        Of::Value => (turns.y)(p),
        Of::Slope | Of::FromValue(_) => (turns.dx)(p),
        Of::Bend => (turns.dx)(p) * (turns.dx)(p),
        Of::Share(..) => (x / p[0]).abs() * (turns.dx)(p) + (turns.y)(p) * (turns.y)(p),
    }
}

/// What the rounding of the product of x and a parameter amounts to: other values of that parameter. A
/// product with 1 is exact.
pub(super) fn rounded_product(step: &Step64, p: &[f64]) -> impl Iterator<Item = Vec<f64>> {
    let product = step.room().and_then(|room| Some((room, room.product?)));
    let rounded = product.filter(|(room, index)| p[*index] != 1.0 || room.roundings > 1.0);
    rounded.into_iter().flat_map(|(room, index)| {
        let half = room.roundings * ROUNDING * f64::from(f32::EPSILON);
        nudge(p, index, p[index] * half)
    })
}

/// The magnitude below which ULP are not measured at `x`.
pub(super) fn floor(step: &Step64, p: &[f64], x: f64, of: Of<'_>) -> f64 {
    let Some(room) = step.room() else { return 0.0 };
    match of {
        Of::Value => at(room.y_terms, x, p),
        Of::Slope => at(room.dx_terms, x, p).max(scale_at(room, room.roots, x, p)),
        Of::Bend => step.room_bend().map_or(0.0, |bend| {
            at(bend.terms, x, p).max(scale_at(room, bend.roots, x, p))
        }),
        Of::Share(_, name) => {
            let gradient = room.gradients.iter().find(|g| g.parameter == name);
            gradient.map_or(0.0, |gradient| at(gradient.terms, x, p))
        }
        Of::FromValue(_) => 0.0,
    }
}

/// The magnitude below which ULP are not measured since a root is near.
fn scale_at(room: &Room, roots: &[f64], x: f64, p: &[f64]) -> f64 {
    let z = room.product.map_or(x, |index| p[index] * x);
    let is_near = roots.iter().any(|root| (z - root).abs() <= ROOT_WINDOW);
    if is_near { ROOT_SCALE } else { 0.0 }
}

/// Whether a step's second derivative is exactly zero somewhere, and lets nothing pass there.
pub(super) fn is_bend_mask(step: &Step64) -> bool {
    step.is_straight() || step.room_bend().is_some_and(|bend| bend.is_flat)
}

/// A slope, or a parameter's derivative, and whether one of exactly zero lets nothing pass, not even an infinite gradient.
pub(super) type Factor = (Enclosure, bool);

/// A gradient times a factor: the product is rounded, unless one of the two is 1.
pub(super) fn product(gradient: Enclosure, (slope, is_mask): Factor) -> Enclosure {
    let one = Enclosure::exact(1.0);
    let is_masked = is_mask && slope.has_zero() && gradient.is_infinite() && !gradient.is_empty();
    match (gradient, slope) {
        (gradient, slope) if gradient == one => slope,
        (gradient, slope) if slope == one => gradient,
        _ if is_masked => {
            let nan = gradient.nan | slope.nan;
            // Zero, and where the slope is not, the infinite product.
            let others = Enclosure {
                nan: false,
                ..slope
            }
            .times(Enclosure {
                nan: false,
                ..gradient
            });
            Enclosure {
                nan,
                ..others.and(0.0)
            }
        }
        _ => gradient.times(slope).widened(ROUNDING, 0.0),
    }
}
