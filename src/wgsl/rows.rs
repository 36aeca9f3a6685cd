//! Kernels over whole rows: what stands before and behind a chain's row step, as functions of a word of a row. The order of
//! work is in shaders/rows.

use super::chain::{ChainCode, arg, rooms, scalar, scalars};
use super::element::{Element, drawn};
use super::files::Text;
use super::form::{Access, Form, Input, Output, Strips, Sweep};
use crate::chain::Chain;
use crate::chain::row::{Row, RowPlace};
use crate::pass::Pass;
use std::fmt::Write;

/// A chain's pass over whole rows, as code before the row step and behind it.
pub(crate) struct RowCode<'a> {
    pub(super) chain: &'a Chain,
    pub(super) pass: Pass,
    pub(super) place: RowPlace,
    /// The operand of the row step's parameter.
    pub(super) parameter: Option<&'a str>,
    /// The values that the row step is applied to; none where the pass is from y.
    pub(super) before: Option<ChainCode<'a>>,
    /// Forward, what becomes of the row step's values; backward, the gradients of these.
    pub(super) behind: ChainCode<'a>,
    /// Backward before the row step, with gradients.
    pub(super) back: Option<ChainCode<'a>>,
    /// Backward behind it, if gradients of operands there are asked for.
    pub(super) learned: Option<ChainCode<'a>>,
}

impl<'a> RowCode<'a> {
    /// None of a chain without a row step.
    pub(crate) fn new(chain: &'a Chain, pass: Pass, gradients: &[&str]) -> Option<Self> {
        let place = chain.row_place()?;
        let part = |part: &std::ops::Range<usize>, name, pass, gradients: &[&str]| {
            ChainCode::of_part(chain, part.clone(), name, pass, gradients)
        };
        let (before, behind) = (&place.before, &place.behind);
        let forward = pass == Pass::Forward;
        let toward = if forward {
            Pass::Forward
        } else {
            Pass::Backward
        };
        let learned = part(behind, "behind", Pass::Backward, gradients);
        Some(RowCode {
            chain,
            pass,
            parameter: chain.row_parameter(),
            before: (pass != Pass::BackwardFromY)
                .then(|| part(before, "before", Pass::Forward, &[])),
            behind: part(behind, "behind", toward, &[]),
            back: (!forward).then(|| part(before, "before", Pass::Backward, gradients)),
            learned: (!learned.gradients().is_empty()).then_some(learned),
            place,
        })
    }

    fn codes(&self) -> impl Iterator<Item = &ChainCode<'a>> {
        let optional = [&self.before, &self.back, &self.learned];
        let optional = optional.into_iter().filter_map(Option::as_ref);
        optional.chain([&self.behind])
    }

    /// The operands of arguments that the pass reads, in the chain's order.
    pub(crate) fn operands(&self) -> Vec<String> {
        let read: Vec<_> = self.codes().flat_map(ChainCode::operands).collect();
        let parameter = self.parameter.filter(|_| self.pass != Pass::BackwardFromY);
        let names = self.chain.operands().into_iter();
        let is_read = |name: &&str| parameter == Some(name) || read.iter().any(|r| r == name);
        names.filter(is_read).map(str::to_owned).collect()
    }

    /// The random steps whose numbers the pass draws.
    pub(crate) fn draws(&self) -> Vec<usize> {
        let mut draws: Vec<_> = self.codes().flat_map(ChainCode::draws).collect();
        draws.sort_unstable();
        draws.dedup();
        draws
    }
}

/// The file of a row step.
fn file(row: Row) -> &'static str {
    match row {
        Row::Softmax => "rows/softmax.wgsl",
        Row::LogSoftmax => "rows/log_softmax.wgsl",
        Row::Hardmax => "rows/hardmax.wgsl",
        Row::RmsNorm => "rows/rms_norm.wgsl",
        Row::LayerNorm => "rows/layer_norm.wgsl",
    }
}

/// Adds the chain's functions, with what they use. Says whether the chain has constants.
pub(super) fn functions(text: &mut Text, code: &RowCode<'_>, form: &Form) -> bool {
    text.file("io/f32.wgsl");
    let inputs = form.inputs.iter().map(|i| i.dtype);
    for dtype in inputs.chain(form.outputs.iter().map(|o| o.dtype)) {
        text.file(&format!("io/{dtype}.wgsl"));
    }
    if !code.draws().is_empty() {
        text.file("slots/draw.wgsl");
    }
    rooms(text, code.chain);
    let has_scalars = scalars(text, code.chain);
    for part in code.codes() {
        part.function(text, &part.operands(), &part.draws(), has_scalars);
    }
    text.file(match form.access {
        Access::Vec4 => "rows/words.wgsl",
        Access::Scalar => "rows/elements.wgsl",
    });
    has_scalars
}

/// Adds the order of work.
pub(super) fn sweep(
    text: &mut Text,
    code: &RowCode<'_>,
    Strips {
        lanes,
        beside,
        words,
        held,
        turns,
        whole,
    }: Strips,
) {
    text.set("LANES", format!("{lanes}u"));
    text.set("BESIDE", format!("{beside}u"));
    text.set("WORDS", format!("{words}u"));
    text.set("WHOLE", whole);
    let joining = match beside {
        1 => "rows/alone.wgsl",
        2..=8 => "rows/few_lanes.wgsl",
        9..=64 => "rows/lanes.wgsl",
        _ => "rows/many_lanes.wgsl",
    };
    for name in ["first", "term", "part", "terms"] {
        text.file_as(joining, &[("it", name)]);
    }
    text.file(file(code.place.row));
    text.file(match (held, code.place.row) {
        (true, _) => "rows/held_statistics.wgsl",
        (false, Row::Softmax | Row::LogSoftmax) => "rows/online_statistics.wgsl",
        (false, _) => "rows/statistics.wgsl",
    });
    match (turns, held) {
        (true, true) => {}
        (true, false) => text.file("rows/turns.wgsl"),
        (false, _) => text.file("rows/once.wgsl"),
    }
    text.file(match code.place.causal {
        Some(_) => "rows/causal.wgsl",
        None => "rows/seen.wgsl",
    });
    text.file(match (code.pass, held) {
        (Pass::Forward, true) => "rows/held_forward.wgsl",
        (Pass::Forward, false) => "rows/forward.wgsl",
        (Pass::Backward, true) if turns => "rows/held_turns.wgsl",
        (Pass::Backward, true) => "rows/held_backward.wgsl",
        (Pass::Backward, false) => "rows/backward.wgsl",
        (Pass::BackwardFromY, true) => "rows/held_backward_from_y.wgsl",
        (Pass::BackwardFromY, false) => "rows/backward_from_y.wgsl",
        (Pass::DoubleBackward, _) => unreachable!("no row step has a second derivative"),
    });
}

/// What is generated for a form.
pub(super) struct RowText<'a> {
    pub(super) form: &'a Form,
    pub(super) code: &'a RowCode<'a>,
    pub(super) has_scalars: bool,
}

/// What a function of a word reads and draws, and the form of that alone.
pub(super) struct Phase {
    pub(super) form: Form,
    draws: Vec<usize>,
}

impl RowText<'_> {
    pub(super) fn element<'e>(&'e self, phase: &'e Phase) -> Element<'e> {
        Element {
            form: &phase.form,
            chain: Some(self.code.chain),
            result: "",
            draws: &phase.draws,
            has_scalars: self.has_scalars,
            exact: None,
        }
    }

    /// The operands of a pass with these names, and those of arguments that these codes read.
    pub(super) fn phase(&self, passed: &[&str], codes: &[Option<&ChainCode<'_>>]) -> Phase {
        let codes = || codes.iter().copied().flatten();
        let read: Vec<String> = codes().flat_map(ChainCode::operands).collect();
        let is_read = |input: &&Input| {
            passed.contains(&input.name.as_str()) || read.iter().any(|r| arg(r) == input.name)
        };
        let mut draws: Vec<_> = codes().flat_map(ChainCode::draws).collect();
        draws.sort_unstable();
        draws.dedup();
        Phase {
            form: Form {
                inputs: self.form.inputs.iter().filter(is_read).cloned().collect(),
                outputs: Vec::new(),
                sums: Vec::new(),
                sweep: Sweep::Each,
                ..self.form.clone()
            },
            draws,
        }
    }

    /// A call of a part's function, with what stands before the operands.
    pub(super) fn call(&self, code: &ChainCode<'_>, function: &str, first: &[String]) -> String {
        let mut all = first.to_vec();
        let operands = code.operands();
        all.extend(operands.iter().map(|name| self.value(&arg(name))));
        let draws = code.draws().into_iter();
        all.extend(draws.map(|index| drawn(self.code.chain, index)));
        all.extend(self.has_scalars.then(|| "args.scalars".to_owned()));
        format!("{function}({})", all.join(", "))
    }

    /// An input's value, of its bits.
    pub(super) fn value(&self, name: &str) -> String {
        let mut inputs = self.form.inputs.iter();
        let found = inputs.find(|input| input.name == name);
        found.map_or_else(String::new, |input| {
            format!("{}_value({name}_bits)", input.dtype)
        })
    }

    /// What makes an element NaN of what a phase reads.
    pub(super) fn nan(&self, phase: &Phase, more: &str) -> String {
        let tests = self.element(phase).nan();
        match (more, tests.as_str()) {
            ("", "") => "false".into(),
            (one, "") | ("", one) => one.to_owned(),
            (more, tests) => format!("{more} | {tests}"),
        }
    }

    /// All of it, in the order in which it is read.
    pub(super) fn write(&self, out: &mut String) {
        self.parameter(out);
        match self.code.pass {
            Pass::Forward => {
                self.before(out);
                self.behind(out);
            }
            Pass::Backward => {
                self.before(out);
                self.gradient(out);
                self.back(out);
                self.terms(out);
                self.column_sums(out);
            }
            Pass::BackwardFromY => {
                self.given(out, "given", "y", None);
                self.given(out, "gradient", "dy", Some("value"));
                self.back(out);
            }
            Pass::DoubleBackward => unreachable!("no row step has a second derivative"),
        }
    }

    /// `fn parameter`, the row step's, and `fn offset`, the mask's.
    fn parameter(&self, out: &mut String) {
        let place = &self.code.place;
        let constant = |node: usize| {
            let nodes = self.code.chain.nodes();
            let named = nodes[node].step.scalars();
            let named = named.first().map(|(name, _)| scalar(node, name));
            named.map_or_else(|| "0.0".to_owned(), |name| format!("args.scalars.{name}"))
        };
        if let Some(node) = place.causal {
            _ = writeln!(
                out,
                "fn offset() -> f32 {{\n    return {};\n}}\n",
                constant(node)
            );
        }
        if self.code.pass == Pass::BackwardFromY {
            return;
        }
        let Some(name) = self.code.parameter else {
            let value = constant(place.node);
            _ = writeln!(
                out,
                "fn parameter(i: u32) -> f32 {{\n    return {value};\n}}\n"
            );
            return;
        };
        let phase = self.phase(&[&arg(name)], &[]);
        _ = writeln!(out, "fn parameter(i: u32) -> f32 {{");
        let element = self.element(&phase);
        element.load(out);
        let bits = element.lane(0);
        let dtype = phase.form.inputs[0].dtype;
        _ = writeln!(
            out,
            "    let bits = {bits};\n    return bitcast<f32>(f32_bits({dtype}_value(bits), {dtype}_is_nan(bits)));\n}}\n"
        );
    }

    /// A function of a word that is made of one of an element. `extra`: a further parameter of both, of each element.
    fn of_word(&self, out: &mut String, name: &str, phase: &Phase, extra: Option<&str>) {
        let parameter = extra.map_or_else(String::new, |extra| format!(", {extra}: V"));
        _ = writeln!(out, "fn {name}(i: u32{parameter}) -> V {{");
        let element = self.element(phase);
        element.load(out);
        let lane = |lane: usize| {
            let extra = extra.map(|extra| format!("{extra}{}", element.part(lane)));
            let all = [Some(element.lane(lane)), extra].into_iter().flatten();
            let all: Vec<_> = all.filter(|text| !text.is_empty()).collect();
            format!("{name}_one({})", all.join(", "))
        };
        let lanes: Vec<_> = (0..self.form.access.lanes()).map(lane).collect();
        let result = format!("V({})", lanes.join(", "));
        _ = writeln!(out, "    return {result};\n}}\n");
    }

    /// The function of one element of which [`of_word`](Self::of_word) makes its own.
    fn of_one(
        &self,
        out: &mut String,
        name: &str,
        phase: &Phase,
        extra: Option<&str>,
        value: &str,
    ) {
        let mut parameters = vec![self.element(phase).parameters()];
        parameters.retain(|parameters| !parameters.is_empty());
        parameters.extend(extra.map(|extra| format!("{extra}: f32")));
        _ = writeln!(
            out,
            "fn {name}_one({}) -> f32 {{\n    return bitcast<f32>(f32_bits({value}, {}));\n}}\n",
            parameters.join(", "),
            self.nan(phase, "")
        );
    }

    /// `fn before`: what the row step is applied to.
    fn before(&self, out: &mut String) {
        let Some(code) = &self.code.before else {
            return;
        };
        let phase = self.phase(&["x"], &[Some(code)]);
        let value = self.call(code, "before_y", &[self.value("x")]);
        self.of_one(out, "before", &phase, None, &value);
        self.of_word(out, "before", &phase, None);
    }

    /// `fn gradient`: that of the row step's value.
    fn gradient(&self, out: &mut String) {
        let code = &self.code.behind;
        let phase = self.phase(&["dy"], &[Some(code)]);
        let value = self.call(code, "behind_dx", &["value".into(), self.value("dy")]);
        self.of_one(out, "gradient", &phase, Some("value"), &value);
        self.of_word(out, "gradient", &phase, Some("value"));
    }

    /// A function that loads an operand of the pass.
    fn given(&self, out: &mut String, name: &str, operand: &str, extra: Option<&str>) {
        let phase = self.phase(&[operand], &[]);
        self.of_one(out, name, &phase, extra, &self.value(operand));
        self.of_word(out, name, &phase, extra);
    }

    /// `fn behind`: makes the chain's value of the row step's, and stores it.
    fn behind(&self, out: &mut String) {
        let code = &self.code.behind;
        let mut phase = self.phase(&[], &[Some(code)]);
        phase.form.outputs = self.form.outputs.clone();
        let mut parameters = vec![self.element(&phase).parameters()];
        parameters.retain(|parameters| !parameters.is_empty());
        parameters.push("value: f32, nan: bool".into());
        let (nan, value) = (
            self.nan(&phase, "nan"),
            self.call(code, "behind_y", &["value".into()]),
        );
        for Output { dtype, .. } in &self.form.outputs {
            _ = writeln!(
                out,
                "fn behind_one({}) -> u32 {{\n    return {dtype}_bits({value}, {nan});\n}}\n",
                parameters.join(", ")
            );
        }
        out.push_str("fn behind(i: u32, value: V, nan: bool) {\n");
        let element = self.element(&phase);
        element.results(out, "behind_one", &["value"], &["nan"]);
        out.push_str("}\n\n");
    }
}

#[cfg(test)]
mod tests;
