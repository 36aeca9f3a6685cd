//! What `nonlin check` found, as text and as JSON.

use super::layer;
use crate::output::{number, short, table};
use nonlin::Pass;
use nonlin::check::{Finding, LayerReport, Report};
use nonlin::layers;
use serde_json::{Value, json};
use std::fmt::Write;

/// What was found of a pass, or of one of its tensors.
pub(super) struct Checked {
    /// The chain, or the layer with its settings.
    pub(super) subject: String,
    /// None where inputs are all of the dtype.
    pub(super) shape: Option<String>,
    /// Of a layer's images.
    pub(super) order: Option<layers::Order>,
    pub(super) pass: Pass,
    /// None where there is one only.
    pub(super) tensor: Option<String>,
    pub(super) comparison: Comparison,
}

pub(super) enum Comparison {
    Elements(Report),
    Tensor(LayerReport),
}

/// Whether something was compared, and all of it passes.
pub(super) fn passed(checked: &[Checked]) -> bool {
    !checked.is_empty() && checked.iter().all(Checked::passes)
}

/// Tables of chains and of layers, and what is wrong.
pub(super) fn text(title: &str, checked: &[Checked]) -> String {
    let of_chains = [
        "chain",
        "pass",
        "",
        "compared",
        "worst ULP",
        "allowed there",
        "at x",
        "misrounded",
    ];
    let of_layers = [
        "layer",
        "pass",
        "",
        "compared",
        "worst",
        "allowed",
        "magnitude",
    ];
    let mut text = format!("{title}\n");
    for (titles, layers) in [(&of_chains[..], false), (&of_layers, true)] {
        let is_wanted = |checked: &&Checked| checked.is_layer() == layers;
        let mut rows: Vec<_> = checked.iter().filter(is_wanted).map(Checked::row).collect();
        if let Some(columns) = rows.iter().map(Vec::len).max() {
            // The last column is of elements of 16 bits; of sums nobody counts it.
            rows.iter_mut()
                .for_each(|row| row.resize(columns, "-".into()));
            let titles = titles[..columns].iter().map(|title| title.to_string());
            let titles = vec![titles.collect()];
            text += &table(&[titles, rows].concat(), 3);
        }
    }
    for checked in checked.iter().filter(|checked| !checked.passes()) {
        text += &checked.problem();
        text.push('\n');
    }
    if checked.is_empty() {
        text += "nothing was compared\n";
    }
    text
}

impl Checked {
    fn is_layer(&self) -> bool {
        matches!(self.comparison, Comparison::Tensor(_))
    }

    /// Whether something was compared, and every element passes.
    fn passes(&self) -> bool {
        match &self.comparison {
            Comparison::Elements(report) => report.compared > 0 && report.passes(),
            Comparison::Tensor(report) => report.passes(),
        }
    }

    /// Whether there is an error, and none is stated that is allowed.
    fn is_told(&self) -> bool {
        match &self.comparison {
            Comparison::Elements(report) => {
                let worst = report.worst.as_ref();
                worst.is_some_and(|worst| worst.allowed.is_infinite())
            }
            Comparison::Tensor(_) => false,
        }
    }

    fn misrounded(&self) -> Option<usize> {
        match &self.comparison {
            Comparison::Elements(report) => report.misrounded,
            Comparison::Tensor(_) => None,
        }
    }

    /// The pass, or the tensor where it is one of several.
    fn what(&self) -> String {
        match (self.pass, self.tensor.as_deref()) {
            (pass, None | Some("y" | "dx")) => pass.to_string(),
            (Pass::Forward, Some(name)) => format!("new {name}"),
            (_, Some(name)) => format!("gradient of {name}"),
        }
    }

    fn row(&self) -> Vec<String> {
        let verdict = match self.passes() {
            true if self.is_told() => "told",
            true => "pass",
            false => "FAIL",
        };
        let compared = match &self.comparison {
            Comparison::Elements(report) => report.compared,
            Comparison::Tensor(report) => report.compared,
        };
        let mut row = vec![
            self.subject.clone(),
            self.what(),
            verdict.into(),
            compared.to_string(),
        ];
        // A gradient of an operand is a sum, at no x.
        let sums = !matches!(self.tensor.as_deref(), None | Some("y" | "dx"));
        row.extend(match &self.comparison {
            Comparison::Tensor(report) => layer::row(report),
            Comparison::Elements(report) => match &report.worst {
                Some(w) => [
                    // Beside a zero, an error has no end of digits.
                    match w.ulp < 1e9 {
                        true => format!("{:.2}", w.ulp),
                        false => format!("{:.1e}", w.ulp),
                    },
                    match w.allowed.is_infinite() {
                        true => "-".into(),
                        false => format!("{:.2}", w.allowed),
                    },
                    if sums { "-".into() } else { short(w.x) },
                ],
                None => ["0.00", "-", "-"].map(String::from),
            },
        });
        row.extend(self.misrounded().map(|count| count.to_string()));
        row
    }

    /// What is wrong, in a line.
    fn problem(&self) -> String {
        let (subject, what) = (&self.subject, self.what());
        match &self.comparison {
            Comparison::Tensor(report) => format!("{subject}: {report}"),
            Comparison::Elements(Report { compared: 0, .. }) => {
                format!("{subject} {what}: nothing was compared")
            }
            Comparison::Elements(Report {
                failed,
                compared,
                worst,
                ..
            }) => {
                let mut text = format!("{subject} {what}: {failed} of {compared} elements fail");
                if let Some(worst) = worst {
                    _ = write!(text, "; worst: {worst}");
                }
                text
            }
        }
    }

    pub(super) fn json(&self) -> Value {
        let kind = if self.is_layer() { "layer" } else { "chain" };
        let mut document = json!({ kind: self.subject });
        if let Some(shape) = &self.shape {
            document["shape"] = shape.as_str().into();
        }
        if let Some(order) = self.order {
            document["order"] = order.to_string().into();
        }
        document["pass"] = self.pass.to_string().into();
        if let Some(tensor) = &self.tensor {
            document["tensor"] = tensor.as_str().into();
        }
        let (compared, failed, worst) = match &self.comparison {
            Comparison::Elements(report) => (
                report.compared,
                report.failed,
                report.worst.as_ref().map(finding),
            ),
            Comparison::Tensor(report) => (
                report.compared,
                report.failed,
                report.worst.as_ref().map(layer::finding),
            ),
        };
        document["compared"] = compared.into();
        document["failed"] = failed.into();
        document["passed"] = self.passes().into();
        if let Some(misrounded) = self.misrounded() {
            document["misrounded"] = misrounded.into();
        }
        if let Comparison::Tensor(report) = &self.comparison {
            document["allowed"] = number(report.allowed);
            document["magnitude"] = number(report.magnitude);
            document["blunt"] = report.blunt.into();
        }
        document["worst"] = worst.into();
        document
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "index": finding.index,
        "x": number(finding.x.into()),
        "dy": finding.dy.map(|dy| number(dy.into())),
        "got": number(finding.got.into()),
        "want": number(finding.want),
        "ulp": number(finding.ulp),
        "allowed": number(finding.allowed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonlin::{Chain, check};

    fn checked(chain: &str, x: &[f32], y: &[f32]) -> Checked {
        let chain: Chain = chain.parse().unwrap();
        let report = check::forward(&chain, x, y).unwrap();
        Checked {
            subject: chain.to_string(),
            shape: None,
            order: None,
            pass: Pass::Forward,
            tensor: None,
            comparison: Comparison::Elements(report),
        }
    }

    #[test]
    fn a_failure_is_told_in_full() {
        let all = [
            checked("relu", &[1.0], &[1.0]),
            checked("silu", &[1.0, 0.0], &[0.75, f32::NAN]),
        ];
        assert!(passed(&all[..1]) && !passed(&all));
        let text = text("f32 on adapter", &all);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "f32 on adapter");
        assert!(
            lines[2].starts_with("relu   forward  pass         1       0.00"),
            "{text}"
        );
        assert!(
            lines[3].starts_with("silu   forward  FAIL         2        inf"),
            "{text}"
        );
        let worst = "silu forward: 2 of 2 elements fail; worst: x[1] = 0e0 (0x00000000): got NaN";
        assert!(lines[4].starts_with(worst), "{text}");
    }

    /// Where nobody stated an error, it is told.
    #[test]
    fn what_is_told_is_not_passed() {
        let text = "fn act_half(x: f32) -> f32 { return 0.5 * x; }";
        let half = nonlin::Custom::from_value("half", text).unwrap();
        let chain = Chain::from(half);
        let told = |y: f32| Checked {
            comparison: Comparison::Elements(check::forward(&chain, &[1.0], &[y]).unwrap()),
            ..checked("relu", &[1.0], &[1.0])
        };
        let row = |y: f32| told(y).row()[2..].join(" ");
        assert_eq!(row(0.5), "pass 1 0.00 - -");
        assert_eq!(row(0.500_001), "told 1 17.00 - 1");
        assert_eq!(row(f32::NAN), "FAIL 1 inf 0.00 1");
        assert_eq!(told(0.500_001).json()["worst"]["allowed"], "inf");
    }

    #[test]
    fn json_has_no_number_for_nan() {
        let document = checked("silu", &[1.0], &[f32::NAN]).json();
        assert_eq!(document["passed"], false);
        assert_eq!(document["worst"]["got"], "nan");
        assert_eq!(document["worst"]["ulp"], "inf");
        assert_eq!(document["worst"]["x"], 1.0);
    }

    #[test]
    fn what_compares_nothing_fails() {
        let nothing = [checked("relu", &[], &[])];
        assert!(!passed(&nothing) && !passed(&[]));
        let told = text("f32 on adapter", &nothing);
        assert!(
            told.contains("relu forward: nothing was compared\n"),
            "{told}"
        );
        assert_eq!(nothing[0].json()["passed"], false);
        assert!(text("", &[]).contains("nothing was compared"));
    }

    #[test]
    fn a_layers_failure_is_told_in_full() {
        let report = |off, blunt| LayerReport {
            pass: Pass::Backward,
            name: "weight".into(),
            compared: 9,
            failed: usize::from(off > 0.25),
            allowed: 0.25,
            magnitude: 4.0,
            blunt,
            worst: Some(check::LayerFinding {
                index: 3,
                got: 1.0 + off,
                want: 1.0,
                off,
            }),
        };
        let all = [(0.125, false), (0.5, false), (0.125, true)].map(|(off, blunt)| Checked {
            subject: "frelu norm=none".into(),
            shape: Some("1x1x3x3".into()),
            order: Some(layers::Order::Nchw),
            pass: Pass::Backward,
            tensor: Some("weight".into()),
            comparison: Comparison::Tensor(report(off, blunt)),
        });
        assert_eq!(all.each_ref().map(Checked::passes), [true, false, false]);
        let text = text("f32 on adapter", &all);
        let lines: Vec<_> = text.lines().collect();
        let start =
            "frelu norm=none  gradient of weight  pass         9  1.25e-1  2.50e-1     4.00e0";
        assert_eq!(lines[2], start, "{text}");
        assert_eq!(
            lines[5],
            "frelu norm=none: backward weight: 1 of 9 elements fail; worst: [3]: got 1.5e0, want 1e0; \
             5e-1 off, allowed 2.5e-1"
        );
        assert!(
            lines[6].contains("nothing is compared, since 2.5e-1"),
            "{text}"
        );
        let document = all[1].json();
        assert_eq!(document["worst"]["off"], 0.5);
        assert_eq!(document["tensor"], "weight");
    }
}
