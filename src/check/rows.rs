//! What a correct kernel may hold of whole rows.
//!
//! A value is enclosed by what lies no further than a radius from it. With u = 2^-24, what an operation on numbers near v
//! rounds away is u |v| at most, a quotient or a root 5 u |v|, and the exponential 4 u of itself. A sum of n terms is
//! made of runs that are never long: it has lost [`depth`] u of the sum of the terms' magnitudes at most.
//!
//! - softmax: z - m is rounded, which changes e^(z - m) by |z - m| u of itself, and what z itself is off by does as much; m
//!   cancels out, whatever it is. The sum is off by the mean of what its terms are off by, and what summing costs. Long rows are
//!   summed while the largest z is looked for: sums move with it, by factors whose exponents add up to z - m for each term, and
//!   which are off by 5 u each ([`moves`]).
//! - log_softmax: the same errors as absolute ones, since the logarithm turns relative errors into these.
//! - norms: an error of the variance counts by half, beside that of the variance and eps together.
//! - gradients: what the values and the gradients that come in are off by, times what they are multiplied by.
//!
//! Rows with infinite elements or gradients are what the reference has, NaN or infinite; but for those a kernel has it too.

use super::enclosure::{Enclosure, MAX};
use super::walk::Walk;
use crate::chain::row::Row;
use crate::reference::rows::{Lines, RowValues, back};
use crate::reference::{Eval, Link};

/// What rounding loses, relatively.
const U: f64 = 1.0 / (1 << 24) as f64;

/// A quotient, a root, or an exponential.
const QUOTIENT: f64 = 5.0 * U;
const EXPONENTIAL: f64 = 4.0 * U;

/// How many additions a term of a sum over a row goes through at most.
fn depth(columns: usize, beside: bool) -> f64 {
    // Sixteen to a part; parts of one lane; lanes. Lanes have rows of their own where rows lie beside each other.
    let parts = if beside { columns / 16 } else { columns / 1024 };
    40.0 + parts as f64
}

/// How often a lane's sum of exponentials is moved at most, and once more when lanes join.
fn moves(z: &[About], beside: bool) -> f64 {
    // Lanes that share a row have at least eight columns each at a time, 64 lanes or more.
    let strips = z.len() / 512;
    let mut largest = f64::NEG_INFINITY;
    let is_larger = |z: &&About| {
        let is_larger = z.at + z.off > largest;
        largest = largest.max(z.at - z.off);
        is_larger
    };
    let most = if beside {
        z.iter().filter(is_larger).count()
    } else {
        strips
    };
    (most + 1) as f64
}

/// A number, and how far from it a kernel may be.
#[derive(Clone, Copy, Debug)]
struct About {
    at: f64,
    off: f64,
}

impl About {
    fn of(enclosure: Enclosure) -> About {
        let Enclosure { lo, hi, .. } = enclosure;
        if lo == hi {
            return About { at: lo, off: 0.0 };
        }
        About {
            at: (lo + hi) / 2.0,
            off: (hi - lo) / 2.0,
        }
    }

    /// What a kernel may hold. Subnormal numbers may be zero.
    fn enclosure(self) -> Enclosure {
        let off = self.off + 4.0 * f64::from(f32::MIN_POSITIVE);
        let off = if off.is_nan() { f64::INFINITY } else { off };
        Enclosure::hull([self.at - off, self.at + off]).stored()
    }

    /// The largest magnitude that it may have.
    fn most(self) -> f64 {
        self.at.abs() + self.off
    }
}

/// What may be held of a row: of its values, and of what they were measured by.
struct Held {
    values: Vec<About>,
    /// Norms: one over the deviation.
    by: About,
}

/// What a kernel may hold of every element of one pass; where `wants` has it so, NaN or infinite.
pub(super) struct Rows<'e> {
    eval: &'e Eval,
    lines: &'e Lines,
    /// x, or y.
    x: &'e [f32],
    x64: Vec<f64>,
    from_y: bool,
}

/// Enclosures of one row.
pub(super) struct RowEnclosures {
    /// The row step's values.
    values: Vec<Enclosure>,
    /// The gradients of what the row step is applied to.
    dz: Vec<Enclosure>,
}

impl<'e> Rows<'e> {
    pub(super) fn new(eval: &'e Eval, lines: &'e Lines, x: &'e [f32], from_y: bool) -> Self {
        Rows {
            eval,
            lines,
            x,
            x64: x.iter().map(|x| f64::from(*x)).collect(),
            from_y,
        }
    }
}

impl Rows<'_> {
    /// What a correct kernel may hold of the chain's values.
    pub(super) fn forward(&self, wants: &[f64]) -> Vec<Enclosure> {
        let mut all = vec![Enclosure::default(); wants.len()];
        for row in 0..self.lines.rows() {
            let values = self.values(row);
            for (column, element) in self.lines.elements(row).enumerate() {
                let part = self.lines.place.behind.clone();
                all[element] = match &values {
                    Some((held, _)) => {
                        let value = held.values[column].enclosure();
                        Walk::of_part(self.eval, part, element, value).result()
                    }
                    None => special(wants[element]),
                };
            }
        }
        all
    }

    /// What it may hold of x's gradients.
    pub(super) fn backward(&self, dy: &[f32], wants: &[f64]) -> Vec<Enclosure> {
        let path = &self.eval.path;
        self.gradients(dy, path, wants)
    }

    /// What it may hold of every element's share of an operand's gradient, to which a path leads.
    pub(super) fn gradients(&self, dy: &[f32], path: &[Link], wants: &[f64]) -> Vec<Enclosure> {
        let mut all = vec![Enclosure::default(); wants.len()];
        let (before, behind) = (&self.lines.place.before, &self.lines.place.behind);
        let node = self.lines.place.node;
        let begins = path.first().map_or(node, |link| link.node);
        for row in 0..self.lines.rows() {
            let enclosed = self.row(row, dy);
            for (column, element) in self.lines.elements(row).enumerate() {
                let want = wants[element];
                let Some((enclosed, of_parameter)) = &enclosed else {
                    all[element] = special(want);
                    continue;
                };
                let walk = |part: &std::ops::Range<usize>, x, gradient| {
                    let walk = Walk::of_part(self.eval, part.clone(), element, x);
                    walk.gradient_from(path, gradient)
                };
                let x = Enclosure::exact(self.x[element]);
                all[element] = match () {
                    () if begins > node => walk(
                        behind,
                        enclosed.values[column],
                        Enclosure::exact(dy[element]),
                    ),
                    // The row step's own gradient is at the row's first element.
                    () if begins == node && path.first().is_some_and(|l| l.parameter.is_some()) => {
                        let first = if column == 0 {
                            *of_parameter
                        } else {
                            About { at: 0.0, off: 0.0 }
                        };
                        first.enclosure()
                    }
                    () => walk(before, x, enclosed.dz[column]),
                };
            }
        }
        all
    }

    /// None of a row with what is infinite or NaN.
    fn row(&self, row: u64, dy: &[f32]) -> Option<(RowEnclosures, About)> {
        let (held, values) = self.values(row)?;
        let elements: Vec<_> = self.lines.elements(row).collect();
        let behind = &self.lines.place.behind;
        let gradient = |(element, value): (&usize, &About)| {
            let dy = Enclosure::exact(dy[*element]);
            let walk = Walk::of_part(self.eval, behind.clone(), *element, value.enclosure());
            let gradient = walk.gradient_from(&self.eval.path, dy);
            let is_finite = !gradient.nan && gradient.lo.is_finite() && gradient.hi.is_finite();
            is_finite.then(|| About::of(gradient))
        };
        let gradients: Option<Vec<About>> =
            elements.iter().zip(&held.values).map(gradient).collect();
        let gradients = gradients?;
        let (dz, of_parameter) = self.back(&held, &values, &gradients);
        let visible = self.lines.visible(self.eval, row) as usize;
        let dz = dz
            .into_iter()
            .enumerate()
            .map(|(column, dz)| match column < visible {
                true => dz.enclosure(),
                false => Enclosure::hull([0.0]),
            });
        Some((
            RowEnclosures {
                values: held.values.iter().map(|v| v.enclosure()).collect(),
                dz: dz.collect(),
            },
            of_parameter,
        ))
    }

    /// What may be held of a row's values, with those of the reference. None of a row with what is infinite or NaN.
    fn values(&self, row: u64) -> Option<(Held, RowValues)> {
        if self.from_y {
            let x = self.lines.elements(row).map(|element| self.x64[element]);
            let x: Vec<f64> = x.collect();
            let values = x.iter().map(|v| About { at: *v, off: 0.0 }).collect();
            let is_finite = x.iter().all(|v| !v.is_nan() && *v != f64::INFINITY);
            let by = About { at: 1.0, off: 0.0 };
            let known = RowValues {
                z: x.clone(),
                value: x,
                parameter: f64::NEG_INFINITY,
            };
            return is_finite.then_some((Held { values, by }, known));
        }
        let values = self.eval.row_values(self.lines, row, &self.x64);
        let visible = self.lines.visible(self.eval, row) as usize;
        let mut z = Vec::with_capacity(values.z.len());
        for (column, element) in self.lines.elements(row).enumerate() {
            let masked = Enclosure::hull([f64::NEG_INFINITY]);
            let part = self.lines.place.before.clone();
            let x = Enclosure::exact(self.x[element]);
            let enclosure = match column < visible {
                true => Walk::of_part(self.eval, part, element, x).result(),
                false => masked,
            };
            let is_masked = enclosure == masked;
            let is_finite = enclosure.lo.is_finite() && enclosure.hi.is_finite();
            let takes = is_masked && matches!(self.lines.place.row, Row::Softmax | Row::LogSoftmax);
            if enclosure.nan || !(takes || is_finite) || values.parameter.is_nan() {
                return None;
            }
            z.push(About::of(enclosure));
        }
        let held = self.held(&z, &values);
        Some((held, values))
    }

    fn depth(&self, columns: usize) -> f64 {
        depth(columns, self.lines.lies_beside())
    }

    /// What may be held of the row step's values.
    fn held(&self, z: &[About], values: &RowValues) -> Held {
        let n = z.len() as f64;
        let depth = self.depth(z.len());
        let largest = z.iter().map(|z| z.at).fold(f64::NEG_INFINITY, f64::max);
        let m = largest.max(values.parameter);
        let moved = 5.0 * moves(z, self.lines.lies_beside());
        // Relative errors of the terms, and of their sum.
        let of_term = |z: &About| EXPONENTIAL + (z.at - m).abs().min(110.0) * U + z.off.exp_m1();
        let of_sum = |shares: &mut dyn Iterator<Item = (f64, f64)>| {
            shares.map(|(share, off)| share * off).sum::<f64>() + (depth + moved) * U
        };
        let pairs = || z.iter().zip(&values.value);
        let values_of = |values: Vec<About>| Held {
            values,
            by: About { at: 1.0, off: 0.0 },
        };
        match self.lines.place.row {
            Row::Softmax => {
                let sum = of_sum(&mut pairs().map(|(z, v)| (*v, of_term(z))));
                let sink = EXPONENTIAL + 110.0 * U;
                let sum = sum
                    + if values.parameter.is_finite() {
                        sink
                    } else {
                        0.0
                    };
                let about = pairs().map(|(z, v)| About {
                    at: *v,
                    off: v * (of_term(z) + sum + QUOTIENT + U) * 1.01,
                });
                values_of(about.collect())
            }
            Row::LogSoftmax => {
                let sum = of_sum(&mut pairs().map(|(z, v)| (v.exp(), of_term(z))));
                let about = pairs().map(|(z, v)| {
                    let rounded = (z.at - m).abs() * U + 4.0 * U * n.ln() + v.abs() * U;
                    match v.is_infinite() {
                        true => About { at: *v, off: 0.0 },
                        false => About {
                            at: *v,
                            off: z.off + sum * 1.01 + rounded,
                        },
                    }
                });
                values_of(about.collect())
            }
            Row::Hardmax => values_of(largest_of(z, &values.value)),
            Row::RmsNorm => normed(z, values, [0.0, 0.0], depth),
            Row::LayerNorm => {
                let mean = z.iter().map(|z| z.at).sum::<f64>() / n;
                let off = z.iter().map(|z| z.off + depth * U * z.at.abs());
                let off = off.sum::<f64>() / n;
                normed(z, values, [mean, off + QUOTIENT * mean.abs()], depth)
            }
        }
    }

    /// What may be held of the gradients of what the row step is applied to, and of its parameter's.
    fn back(&self, held: &Held, values: &RowValues, gradients: &[About]) -> (Vec<About>, About) {
        let of = |about: &[About]| about.iter().map(|a| a.at).collect::<Vec<_>>();
        let (exact, of_parameter) = back(self.lines.place.row, values, &of(gradients));
        let n = exact.len() as f64;
        let depth = self.depth(exact.len());
        let pairs = || held.values.iter().zip(gradients);
        let sum: f64 = gradients.iter().map(|g| g.at).sum();
        let sum_off: f64 = gradients.iter().map(|g| g.off + depth * U * g.most()).sum();
        let product: f64 = pairs().map(|(v, g)| finite(v.at * g.at)).sum();
        let terms = pairs().map(|(v, g)| {
            let off = g.at.abs() * v.off + v.most() * g.off;
            finite(off) + (depth + 1.0) * U * finite(v.most() * g.most())
        });
        let product_off: f64 = terms.sum();
        let sums = [
            About {
                at: sum,
                off: sum_off,
            },
            About {
                at: product,
                off: product_off,
            },
        ];
        let row = self.lines.place.row;
        let about = exact.iter().zip(pairs()).map(|(dz, (v, g))| {
            let off = match row {
                Row::Softmax | Row::LogSoftmax | Row::Hardmax => off_of_softmax(row, *v, *g, sums),
                Row::RmsNorm | Row::LayerNorm => off_of_norm(row, *v, *g, sums, n, held.by, *dz),
            };
            About {
                at: *dz,
                off: off * 1.01 + U * dz.abs() * 2.0,
            }
        });
        let share = if product == 0.0 {
            0.0
        } else {
            (of_parameter / product).abs()
        };
        let m = values.z.iter().copied().fold(values.parameter, f64::max);
        let term = EXPONENTIAL + (values.parameter - m).abs().min(110.0) * U;
        let spread = values
            .value
            .iter()
            .zip(&held.values)
            .map(|(_, v)| v.off)
            .sum::<f64>();
        let own = About {
            at: of_parameter,
            off: share * product_off
                + of_parameter.abs() * (term + spread + depth * U + QUOTIENT + 3.0 * U),
        };
        (about.collect(), own)
    }
}

/// What the gradient of what softmax is applied to is off by: of a value, its gradient, and the sums over the row of the
/// gradients and of their products with the values.
fn off_of_softmax(row: Row, v: About, g: About, [sum, product]: [About; 2]) -> f64 {
    match row {
        Row::Softmax => {
            let less = (g.at - product.at).abs();
            v.off * less + v.most() * (g.off + product.off + U * less)
        }
        Row::LogSoftmax => {
            let p = v.at.exp();
            let share = match v.at == f64::NEG_INFINITY {
                true => 0.0,
                false => p * (v.off.exp_m1() + EXPONENTIAL + U),
            };
            g.off + p * sum.off + sum.most() * share
        }
        _ => 0.0,
    }
}

/// The same of a norm of n elements, given one over the deviation and the gradient itself.
fn off_of_norm(
    row: Row,
    v: About,
    g: About,
    [sum, product]: [About; 2],
    n: f64,
    by: About,
    dz: f64,
) -> f64 {
    let (mean, mean_off) = match row {
        Row::LayerNorm => (sum.at / n, sum.off / n),
        _ => (0.0, 0.0),
    };
    let share = (product.at / n).abs();
    let of_mean = mean_off + QUOTIENT * mean.abs();
    let of_share = v.most() * (product.off / n + QUOTIENT * share) + v.off * share;
    let rounded = 3.0 * U * (g.most() + mean.abs() + v.most() * share);
    (g.off + of_mean + of_share + rounded) * by.most() + dz.abs() / by.at * by.off
}

/// Zero times infinity is nothing here: masked columns have no gradient.
fn finite(v: f64) -> f64 {
    if v.is_finite() { v } else { 0.0 }
}

/// Hardmax of values that may be off: several may be the largest.
fn largest_of(z: &[About], values: &[f64]) -> Vec<About> {
    let least = z.iter().map(|z| z.at - z.off);
    let least = least.fold(f64::NEG_INFINITY, f64::max);
    let exact = z.iter().all(|z| z.off == 0.0);
    let about = z
        .iter()
        .zip(values)
        .map(|(z, v)| match !exact && z.at + z.off >= least {
            true => About { at: 0.5, off: 0.5 },
            false => About { at: *v, off: 0.0 },
        });
    about.collect()
}

/// What may be held of a norm's values, given the mean and what that is off by.
fn normed(z: &[About], values: &RowValues, [mean, mean_off]: [f64; 2], depth: f64) -> Held {
    let n = z.len() as f64;
    let is_centred = mean_off > 0.0 || mean != 0.0;
    // What is left of an element, and what that is off by.
    let left = |z: &About| {
        let at = z.at - mean;
        let rounded = if is_centred { U * at.abs() } else { 0.0 };
        About {
            at,
            off: z.off + mean_off + rounded,
        }
    };
    let (mut squares, mut off) = (0.0, 0.0);
    for c in z.iter().map(left) {
        squares += c.at * c.at;
        off += (2.0 * c.at.abs() + c.off) * c.off + (depth + 1.0) * U * c.most() * c.most();
    }
    // Squares that leave the range of f32 leave nothing of the row.
    let off = if squares + off < MAX {
        off
    } else {
        f64::INFINITY
    };
    let variance = squares / n + values.parameter;
    let relative = 0.5 * (off / n / variance) + 2.0 * QUOTIENT + U;
    let by = About {
        at: 1.0 / variance.sqrt(),
        off: 1.01 * relative / variance.sqrt(),
    };
    let value = |(z, v): (&About, &f64)| About {
        at: *v,
        off: 1.01 * (v.abs() * (relative + U) + left(z).off * by.at),
    };
    Held {
        values: z.iter().zip(&values.value).map(value).collect(),
        by,
    }
}

/// What the reference has of a row with what is infinite or NaN.
fn special(want: f64) -> Enclosure {
    if want.is_nan() {
        return Enclosure::hull([f64::NAN]);
    }
    if want.is_infinite() || want == 0.0 {
        return Enclosure::hull([want]);
    }
    Enclosure::hull([want]).widened(64.0, 0.0)
}
