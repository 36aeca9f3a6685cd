//! Of kernels over whole rows: one element's gradients, and what of them is summed.

use super::chain::ChainCode;
use super::form::{Output, SumOf};
use super::rows::{Phase, RowText};
use crate::chain::row::Row;
use crate::pass::Pass;
use std::fmt::Write;

impl RowText<'_> {
    /// Which part's function has a gradient: `before` or `behind`; none has the row step's own.
    fn part_of(&self, gradient: &str) -> Option<&'static str> {
        let has = |code: &Option<ChainCode<'_>>| {
            let mut codes = code.iter().flat_map(|code| code.gradients());
            codes.any(|name| name == gradient)
        };
        if has(&self.code.back) {
            return Some("before");
        }
        has(&self.code.learned).then_some("behind")
    }

    /// `fn back`: from the gradient of what the row step is applied to, those of x and of operands.
    pub(super) fn back(&self, out: &mut String) {
        let (Some(back), learned) = (&self.code.back, self.code.learned.as_ref()) else {
            return;
        };
        let from_x = self.code.pass == Pass::Backward;
        let dy = learned.map(|_| "dy");
        let mut phase = self.phase(
            &[dy, back.reads_x().then_some("x")]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
            &[Some(back), learned],
        );
        phase.form.outputs = self.form.outputs.clone();
        phase.form.sums = self.form.sums.clone();
        self.back_one(out, &phase, back, learned);
        let (parameters, each, all) = match from_x {
            true => (
                "i: u32, column: u32, old: ColumnSums, dz: V, value: V, lost: bool, nan: bool",
                &["dz", "value"][..],
                &["lost", "nan"][..],
            ),
            false => ("i: u32, dz: V, nan: bool", &["dz"][..], &["nan"][..]),
        };
        let returned = if from_x { " -> Put" } else { "" };
        _ = writeln!(out, "fn back({parameters}){returned} {{");
        let element = self.element(&phase);
        element.results(out, "back_one", each, all);
        if from_x {
            self.add_up(out);
        }
        out.push_str("}\n\n");
    }

    /// The function of one element's gradients.
    fn back_one(
        &self,
        out: &mut String,
        phase: &Phase,
        back: &ChainCode<'_>,
        learned: Option<&ChainCode<'_>>,
    ) {
        let (lines, dx) = self.calls(back, learned);
        let (fields, results) = self.results(dx);
        let own = [
            self.element(phase).parameters(),
            match self.code.pass {
                Pass::Backward => "dz: f32, value: f32, lost: bool, nan: bool".into(),
                _ => "dz: f32, nan: bool".into(),
            },
        ];
        let own: Vec<_> = own.into_iter().filter(|p| !p.is_empty()).collect();
        let own = own.join(", ");
        let is_plain = self.form.outputs.len() == 1 && self.form.gradients().is_empty();
        if is_plain {
            _ = writeln!(
                out,
                "fn back_one({own}) -> u32 {{\n{lines}    return {};\n}}\n",
                results.join(", ")
            );
        } else {
            // A struct has at least one field.
            _ = writeln!(
                out,
                "struct Back {{\n{fields}    nan: bool,\n}}\n\nfn back_one({own}) -> Back {{\n{lines}    return Back({});\n}}\n",
                results
                    .iter()
                    .map(String::as_str)
                    .chain(["nan"])
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
    }

    /// Statements that call the parts' functions, and where dx is then.
    fn calls(
        &self,
        back: &ChainCode<'_>,
        learned: Option<&ChainCode<'_>>,
    ) -> (String, &'static str) {
        let x = match back.reads_x() {
            true => self.value("x"),
            false => "0.0".into(),
        };
        let function = match back.gradients() {
            [] => "before_dx",
            _ => "before_gradients",
        };
        let mut lines = format!(
            "    let before = {};\n",
            self.call(back, function, &[x, "dz".into()])
        );
        let dx = if back.gradients().is_empty() {
            "before"
        } else {
            "before.dx"
        };
        if let Some(code) = learned {
            let first = ["value".to_owned(), self.value("dy")];
            let read = self.phase(&["dy"], &[Some(code)]);
            _ = writeln!(
                lines,
                "    let behind = {};\n    let behind_nan = {};",
                self.call(code, "behind_gradients", &first),
                self.nan(&read, "lost")
            );
        }
        (lines, dx)
    }

    /// What one element's gradients are, as fields of a struct and as expressions.
    fn results(&self, dx: &str) -> (String, Vec<String>) {
        let (mut fields, mut results) = (String::new(), Vec::new());
        for Output { name, dtype, .. } in &self.form.outputs {
            _ = writeln!(fields, "    {name}: u32,");
            results.push(
                match name.strip_prefix("d_").and_then(|n| self.part_of(n)) {
                    None => format!("{dtype}_bits({dx}, nan)"),
                    Some("before") => format!("{dtype}_bits(before.{name}, nan)"),
                    Some(_) => format!("{dtype}_bits(behind.{name}, behind_nan)"),
                },
            );
        }
        for name in &self.form.sums {
            if let Some(part) = self.part_of(name) {
                _ = writeln!(fields, "    sum_{name}: f32,\n    nan_{name}: bool,");
                let nan = if part == "before" {
                    "nan"
                } else {
                    "behind_nan"
                };
                results.push(format!("{part}.d_{name}, {nan}"));
            }
        }
        (fields, results)
    }

    /// The sums, of this kind, of operands that stand before the row step or behind it.
    fn sums(&self, wanted: &[SumOf]) -> Vec<(&String, SumOf)> {
        let sums = self.form.sums.iter().zip(&self.form.sums_of);
        let sums = sums.filter(|(name, of)| wanted.contains(of) && self.part_of(name).is_some());
        sums.map(|(name, of)| (name, *of)).collect()
    }

    /// Statements that add terms to columns' sums, and return these and the terms of the row.
    fn add_up(&self, out: &mut String) {
        let lanes = self.form.access.lanes();
        for (name, _) in self.sums(&[SumOf::Element]) {
            for lane in 0..lanes {
                _ = writeln!(
                    out,
                    "    partials[args.sum_{name} + args.start + {lanes}u * i + {lane}u] = \
                     f32_bits(e{lane}.sum_{name}, e{lane}.nan_{name});"
                );
            }
        }
        let columns = self.sums(&[SumOf::Column]).into_iter().map(|(name, _)| {
            let added = (0..lanes).map(|lane| {
                let old = match lanes {
                    1 => format!("old.d_{name}"),
                    _ => format!("old.d_{name}[{lane}]"),
                };
                format!("added({old}, e{lane}.sum_{name}, e{lane}.nan_{name})")
            });
            format!("C({})", added.collect::<Vec<_>>().join(", "))
        });
        let columns: Vec<_> = columns.chain(["0u".to_owned()]).collect();
        let mut terms = Vec::new();
        let mut nan = vec!["false".to_owned()];
        for (name, _) in self.sums(&[SumOf::Row]) {
            let all: Vec<_> = (0..lanes)
                .map(|lane| format!("e{lane}.sum_{name}"))
                .collect();
            terms.push(match all.as_slice() {
                [a, b, c, d] => format!("({a} + {b}) + ({c} + {d})"),
                all => all.join(" + "),
            });
            nan.extend((0..lanes).map(|lane| format!("e{lane}.nan_{name}")));
        }
        terms.push(format!("select(0u, 1u, {})", nan.join(" | ")));
        let (terms, columns) = (terms.join(", "), columns.join(", "));
        _ = writeln!(
            out,
            "    return Put(Terms({terms}), ColumnSums({columns}));"
        );
    }

    /// `struct ColumnSums`, the bits of what the columns of a word add up to, and where these lie in memory.
    pub(super) fn column_sums(&self, out: &mut String) {
        let sums = self.sums(&[SumOf::Column]);
        let fields = sums.iter().map(|(name, _)| format!("    d_{name}: C,\n"));
        let fields: String = fields.collect();
        let lanes = self.form.access.lanes();
        let at = |name: &str, lane| {
            format!("partials[args.sum_{name} + slot * args.columns + column + {lane}u]")
        };
        let loaded = sums.iter().map(|(name, _)| {
            let each: Vec<_> = (0..lanes).map(|lane| at(name, lane)).collect();
            format!("C({}), ", each.join(", "))
        });
        let loaded: String = loaded.collect();
        let stored = sums.iter().flat_map(|(name, _)| {
            (0..lanes).map(move |lane| match lanes {
                1 => format!("    {} = sums.d_{name};\n", at(name, lane)),
                _ => format!("    {} = sums.d_{name}[{lane}];\n", at(name, lane)),
            })
        });
        let stored: String = stored.collect();
        _ = writeln!(
            out,
            "struct ColumnSums {{\n{fields}    nothing: u32,\n}}

struct Put {{
    terms: Terms,
    sums: ColumnSums,
}}

fn sums_at(slot: u32, column: u32) -> ColumnSums {{
    return ColumnSums({loaded}0u);
}}

fn sums_put(slot: u32, column: u32, sums: ColumnSums) {{\n{stored}}}\n"
        );
    }

    /// `struct Terms`, what a row's words add up to; how two are added, and how a row's are stored.
    pub(super) fn terms(&self, out: &mut String) {
        let sums = self.sums(&[SumOf::Row]);
        let fields: String = sums
            .iter()
            .map(|(n, _)| format!("    d_{n}: f32,\n"))
            .collect();
        let added = sums.iter().map(|(n, _)| format!("a.d_{n} + b.d_{n}, "));
        let added: String = added.collect();
        let puts = sums.iter().map(|(name, _)| {
            format!("    partials[args.sum_{name} + args.first_row + row] = f32_bits(sum.d_{name}, sum.nan > 0u);\n")
        });
        let puts: String = puts.collect();
        let own = self
            .code
            .parameter
            .filter(|name| self.form.sums.iter().any(|s| s == name));
        let own_put = own.map_or_else(String::new, |name| {
            format!("    partials[args.sum_{name} + args.first_row + row] = f32_bits(term, nan);\n")
        });
        let has_sums = !sums.is_empty() || own.is_some();
        _ = writeln!(
            out,
            "struct Terms {{\n{fields}    nan: u32,\n}}

fn terms_plus(a: Terms, b: Terms) -> Terms {{
    return Terms({added}a.nan | b.nan);
}}

fn put(row: u32, sum: Terms) {{\n{puts}}}

fn put_parameter(row: u32, term: f32, nan: bool) {{\n{own_put}}}

const HAS_SUMS: bool = {has_sums}; // Whether a row's words are added up."
        );
        if !matches!(self.code.place.row, Row::Softmax) {
            out.push_str(
                "\nfn row_parameter_back(sums: Part, s: Stats) -> f32 {\n    return 0.0;\n}\n",
            );
        }
    }
}
