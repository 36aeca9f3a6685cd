//! Gradients of values that elements share: sums of shares.

use super::enclosure::{Enclosure, MAX, MIN_NORMAL, Of, floor, rounded_product};
use super::expected::must_be_nan;
use super::report::{Finding, Report};
use super::rows::Rows;
use super::walk::Walk;
use crate::chain::Chain;
use crate::error::{Error, same_length};
use crate::reference::{Held, Shares};
use crate::tensor::dtype::{DType, Element};
use crate::tensor::values::Values;
use crate::ulp::ulp_in;

/// Compares `d`, the gradient with respect to the operand `@name`, with the reference.
///
/// Where elements share a value, the error allowed to their sum is what is allowed to each share, and
/// 4 x 2^-24 of the sum of the shares' magnitudes for the summing. To a share of such a sum is allowed, in a
/// chain of one step, its budget times 2^-24 of its magnitude, and what the rounding of a product with x makes
/// of it, as everywhere; in longer chains, what the enclosure allows. In the report, errors are in units of
/// 2^-24 of the sum of the magnitudes, and `x` is not of interest.
///
/// # Errors
/// As [`reference::gradient`](crate::reference::gradient), and
/// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch).
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
    let is_told = !shares.eval.has_budget();
    if let Some(lines) = &shares.eval.lines {
        let [x, dy] = [in_f32(x), in_f32(dy)];
        let rows = Rows::new(&shares.eval, lines, &x, false);
        let in_f64 = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let (x64, dy64) = (in_f64(&x), in_f64(&dy));
        let all = shares.eval.rows_shares(lines, &shares.path, &x64, &dy64);
        if is_told {
            for (index, share) in all.into_iter().enumerate() {
                sums[shares.spread.index(index)].add_told(share);
            }
        } else {
            let enclosures = rows.gradients(&dy, &shares.path, &all);
            for (index, (share, enclosure)) in all.into_iter().zip(enclosures).enumerate() {
                sums[shares.spread.index(index)].add_enclosed(share, share.abs(), [enclosure; 2]);
            }
        }
    } else if is_told {
        add_told(&mut sums, &shares, &in_f32(x), &in_f32(dy));
    } else {
        for (index, (x, dy)) in x.iter().zip(dy).enumerate() {
            sums[shares.spread.index(index)].add(&shares, x.to_f32(), dy.to_f32(), index);
        }
    }
    let summed = d.len() < x.len();
    let mut report = Report::default();
    for (index, (sum, got)) in sums.iter().zip(d).enumerate() {
        let got = got.to_f32();
        let (ulp, allowed) = match is_told {
            true => sum.told(got),
            false => sum.judge(D::DTYPE, got, summed),
        };
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

/// All shares, where none has a stated error.
fn add_told(sums: &mut [Sum64], shares: &Shares, x: &[f32], dy: &[f32]) {
    let mut held = Held::default();
    for (index, (x, dy)) in x.iter().zip(dy).enumerate() {
        let sum = &mut sums[shares.spread.index(index)];
        sum.nan |= x.is_nan() || dy.is_nan();
        sum.anything |= shares.eval.takes_nan(index);
        sum.add_told(shares.at(*x, *dy, index, &mut held));
    }
}

fn in_f32<T: Element>(values: &[T]) -> Vec<f32> {
    values.iter().map(|v| v.to_f32()).collect()
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
        let share = shares.at(x, dy, index, &mut Held::default());
        let enclosure = Walk::new(eval, index, x).gradient(&shares.path, dy);
        let mut promised = enclosure;
        let mut magnitude = share.abs();
        if let ([node], Some((parameter, name))) =
            (eval.nodes.as_slice(), &shares.path[0].parameter)
        {
            let (p, dy) = (eval.parameters(node, index, &[]), f64::from(dy));
            let step = &node.step;
            let of = Of::Share(*parameter, name);
            magnitude = magnitude.max(floor(step, &p, x.into(), of) * dy.abs());
            let subnormal = MIN_NORMAL * dy.abs().max(1.0);
            let off = step.budget() * magnitude * 2f64.powi(-24) + subnormal;
            // A product with x is rounded here as it is for an element by itself.
            let rounded =
                rounded_product(step, &p).map(|p| dy * step.share(*parameter, name, x.into(), &p));
            let Enclosure { lo, hi, .. } = Enclosure::hull(rounded.chain([share]));
            promised = Enclosure {
                lo: enclosure.lo.max(lo - off),
                hi: enclosure.hi.min(hi + off),
                nan: enclosure.nan,
            };
        }
        self.add_enclosed(share, magnitude, [enclosure, promised]);
    }

    /// One more share, where none has a stated error.
    fn add_told(&mut self, share: f64) {
        self.anything |= !share.is_finite();
        self.value += share;
        self.magnitudes += share.abs();
    }

    /// The error of a sum that none is stated for.
    fn told(&self, got: f32) -> (f64, f64) {
        if self.nan {
            return must_be_nan(got);
        }
        if self.anything || self.magnitudes > MAX {
            return (0.0, f64::INFINITY);
        }
        if got.is_nan() {
            return (f64::INFINITY, 0.0);
        }
        let unit = (self.magnitudes * 2f64.powi(-24)).max(ulp_in(DType::F32, 0.0));
        ((f64::from(got) - self.value).abs() / unit, f64::INFINITY)
    }

    /// One more share, which a kernel may hold so, and the magnitude that its error counts by.
    fn add_enclosed(&mut self, share: f64, magnitude: f64, [enclosure, promised]: [Enclosure; 2]) {
        if enclosure.must_be_nan() {
            self.nan = true;
            return;
        }
        self.anything |= enclosure.nan || !(enclosure.hi - enclosure.lo).is_finite();
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
        let off = Enclosure {
            lo: -off,
            hi: off,
            nan: false,
        };
        let Enclosure { lo, hi, .. } = shares.plus(off).stored().rounded_to(dtype);
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
