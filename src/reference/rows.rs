//! Chains with a step over whole rows, in f64.

use super::{Eval, Held, Link, masked};
use crate::chain::row::{Row, RowPlace};
use crate::tensor::layout::Layout;

/// Where rows lie, and which of their columns are masked.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    pub(crate) place: RowPlace,
    layout: Layout,
    /// Rows of a matrix.
    queries: u64,
}

/// What a row step has of a row.
pub(crate) struct RowValues {
    /// What it is applied to.
    pub(crate) z: Vec<f64>,
    pub(crate) value: Vec<f64>,
    /// The sink, or eps.
    pub(crate) parameter: f64,
}

/// The gradients of a row.
struct RowGradients {
    /// Of what it is applied to.
    dz: Vec<f64>,
    of_parameter: f64,
}

impl Lines {
    pub(super) fn new(place: RowPlace, layout: Layout, queries: Option<u64>) -> Self {
        let rows = layout.outer * layout.inner;
        Lines {
            place,
            layout,
            queries: queries.unwrap_or(rows).max(1),
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.layout.outer * self.layout.inner
    }

    pub(crate) fn columns(&self) -> u64 {
        self.layout.channels
    }

    /// Whether elements of other rows lie between those of a row.
    pub(crate) fn lies_beside(&self) -> bool {
        self.layout.inner > 1
    }

    /// The elements of a row, in order.
    pub(crate) fn elements(&self, row: u64) -> impl Iterator<Item = usize> + use<> {
        let Layout {
            channels, inner, ..
        } = self.layout;
        let (sample, beside) = (row / inner, row % inner);
        (0..channels).map(move |c| ((sample * channels + c) * inner + beside) as usize)
    }

    /// How many columns of a row are seen.
    pub(crate) fn visible(&self, eval: &Eval, row: u64) -> u64 {
        let Some(node) = self.place.causal else {
            return self.columns();
        };
        let offset = eval.nodes[node].step.constants()[0];
        let last = (row % self.queries) as f64 + offset;
        (last + 1.0).clamp(0.0, self.columns() as f64) as u64
    }
}

/// A row step's values.
pub(crate) fn values(row: Row, z: &[f64], parameter: f64) -> Vec<f64> {
    if z.iter().any(|z| z.is_nan()) || parameter.is_nan() {
        return vec![f64::NAN; z.len()];
    }
    let n = z.len() as f64;
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let normed = |mean: f64| {
        let squares = z.iter().map(|z| (z - mean) * (z - mean)).sum::<f64>();
        let by = (squares / n + parameter).sqrt();
        z.iter().map(|z| (z - mean) / by).collect()
    };
    match row {
        Row::Softmax => {
            let m = largest.max(parameter);
            if m == f64::NEG_INFINITY {
                return vec![0.0; z.len()];
            }
            let e: Vec<f64> = z.iter().map(|z| (z - m).exp()).collect();
            let sum = e.iter().sum::<f64>() + (parameter - m).exp();
            e.iter().map(|e| e / sum).collect()
        }
        Row::LogSoftmax if largest == f64::NEG_INFINITY => z.to_vec(),
        Row::LogSoftmax => {
            let sum = z.iter().map(|z| (z - largest).exp()).sum::<f64>();
            z.iter().map(|z| z - largest - sum.ln()).collect()
        }
        Row::Hardmax => {
            let at = z.iter().position(|z| *z == largest);
            let one = |index| if Some(index) == at { 1.0 } else { 0.0 };
            (0..z.len()).map(one).collect()
        }
        Row::RmsNorm => normed(0.0),
        Row::LayerNorm => normed(z.iter().sum::<f64>() / n),
    }
}

/// The sink's share of softmax's sum.
fn sink_share(z: &[f64], sink: f64) -> f64 {
    let m = z.iter().copied().fold(sink, f64::max);
    if sink == f64::NEG_INFINITY || m.is_infinite() {
        return 0.0;
    }
    let e = (sink - m).exp();
    e / (z.iter().map(|z| (z - m).exp()).sum::<f64>() + e)
}

/// From the gradients of a row step's values, those of what it is applied to, and of its parameter.
pub(crate) fn back(row: Row, values: &RowValues, gradients: &[f64]) -> (Vec<f64>, f64) {
    let RowValues {
        z,
        value,
        parameter,
    } = values;
    let n = z.len() as f64;
    let pairs = || value.iter().zip(gradients);
    let sum: f64 = gradients.iter().sum();
    let product: f64 = pairs().map(|(v, g)| masked(*g, *v, true)).sum();
    match row {
        Row::Softmax => {
            let dz = pairs().map(|(v, g)| masked(g - product, *v, true));
            (dz.collect(), -sink_share(z, *parameter) * product)
        }
        Row::LogSoftmax => {
            let dz = pairs().map(|(v, g)| g - masked(sum, v.exp(), true));
            (dz.collect(), 0.0)
        }
        Row::Hardmax => (vec![0.0; z.len()], 0.0),
        Row::RmsNorm | Row::LayerNorm => {
            let is_layer = row == Row::LayerNorm;
            let mean = if is_layer {
                z.iter().sum::<f64>() / n
            } else {
                0.0
            };
            let squares = z.iter().map(|z| (z - mean) * (z - mean)).sum::<f64>();
            let by = 1.0 / (squares / n + parameter).sqrt();
            let less = if is_layer { sum / n } else { 0.0 };
            let dz = pairs().map(|(v, g)| by * (g - less - v * product / n));
            (dz.collect(), 0.0)
        }
    }
}

impl Eval {
    /// What a row step has of a row.
    pub(crate) fn row_values(&self, lines: &Lines, row: u64, x: &[f64]) -> RowValues {
        let (visible, mut held) = (lines.visible(self, row), Held::default());
        let z = (0..).zip(lines.elements(row)).map(|(column, element)| {
            let z = self.value_of(&lines.place.before, x[element], element, &mut held);
            if column < visible {
                z
            } else {
                f64::NEG_INFINITY
            }
        });
        let z: Vec<f64> = z.collect();
        let node = &self.nodes[lines.place.node];
        let first = lines.elements(row).next().unwrap_or_default();
        let parameter = self.parameters(node, first, &[]).first().copied();
        let parameter = parameter.unwrap_or(0.0);
        RowValues {
            value: values(lines.place.row, &z, parameter),
            z,
            parameter,
        }
    }

    /// The chain's values, row by row.
    pub(super) fn rows_forward(&self, lines: &Lines, x: &[f64]) -> Vec<f64> {
        let (mut y, mut held) = (vec![0.0; x.len()], Held::default());
        for row in 0..lines.rows() {
            let values = self.row_values(lines, row, x).value;
            for (element, value) in lines.elements(row).zip(values) {
                y[element] = self.value_of(&lines.place.behind, value, element, &mut held);
            }
        }
        y
    }

    /// The gradients of a row.
    fn row_gradients(
        &self,
        lines: &Lines,
        row: u64,
        values: &RowValues,
        dy: &[f64],
    ) -> RowGradients {
        let (behind, mut held) = (&lines.place.behind, Held::default());
        let of = |(element, value): (usize, &f64)| {
            self.gradient_of(
                behind,
                &self.path,
                [*value, dy[element]],
                element,
                &mut held,
            )
        };
        let of_value: Vec<f64> = lines.elements(row).zip(&values.value).map(of).collect();
        let (mut dz, of_parameter) = back(lines.place.row, values, &of_value);
        let visible = lines.visible(self, row) as usize;
        dz.iter_mut().skip(visible).for_each(|dz| *dz = 0.0);
        RowGradients { dz, of_parameter }
    }

    /// The gradients of x, row by row.
    pub(super) fn rows_backward(&self, lines: &Lines, x: &[f64], dy: &[f64]) -> Vec<f64> {
        let (mut dx, mut held) = (vec![0.0; x.len()], Held::default());
        let before = &lines.place.before;
        for row in 0..lines.rows() {
            let values = self.row_values(lines, row, x);
            let gradients = self.row_gradients(lines, row, &values, dy);
            for (element, dz) in lines.elements(row).zip(gradients.dz) {
                let pair = [x[element], dz];
                dx[element] = self.gradient_of(before, &self.path, pair, element, &mut held);
            }
        }
        dx
    }

    /// The same from the values y, of a chain that is made of scales and biases before its row step.
    pub(super) fn rows_backward_from_y(&self, lines: &Lines, y: &[f64], dy: &[f64]) -> Vec<f64> {
        let (mut dx, mut held) = (vec![0.0; y.len()], Held::default());
        let before = &lines.place.before;
        for row in 0..lines.rows() {
            let of_row = |all: &[f64]| lines.elements(row).map(|e| all[e]).collect::<Vec<_>>();
            let values = RowValues {
                z: of_row(y),
                value: of_row(y),
                parameter: f64::NEG_INFINITY,
            };
            let (dz, _) = back(lines.place.row, &values, &of_row(dy));
            let visible = lines.visible(self, row);
            for ((column, element), dz) in (0..).zip(lines.elements(row)).zip(dz) {
                let dz = if column < visible { dz } else { 0.0 };
                let pair = [f64::NAN, dz];
                dx[element] = self.gradient_of(before, &self.path, pair, element, &mut held);
            }
        }
        dx
    }

    /// Every element's share of the gradient of an operand, to whose value a path leads; the row step's own has one in each
    /// row, at its first element.
    pub(crate) fn rows_shares(
        &self,
        lines: &Lines,
        path: &[Link],
        x: &[f64],
        dy: &[f64],
    ) -> Vec<f64> {
        let (mut shares, mut held) = (vec![0.0; x.len()], Held::default());
        let RowPlace {
            before,
            node,
            behind,
            ..
        } = &lines.place;
        let begins = path.first().map_or(0, |link| link.node);
        for row in 0..lines.rows() {
            let values = self.row_values(lines, row, x);
            if begins > *node {
                for (element, value) in lines.elements(row).zip(&values.value) {
                    let pair = [*value, dy[element]];
                    shares[element] = self.gradient_of(behind, path, pair, element, &mut held);
                }
                continue;
            }
            let gradients = self.row_gradients(lines, row, &values, dy);
            if begins == *node {
                if let Some(first) = lines.elements(row).next() {
                    shares[first] = gradients.of_parameter;
                }
                continue;
            }
            for (element, dz) in lines.elements(row).zip(gradients.dz) {
                let pair = [x[element], dz];
                shares[element] = self.gradient_of(before, path, pair, element, &mut held);
            }
        }
        shares
    }
}
