//! Kernels over whole rows: what stands before and behind a chain's row step, as functions of a word of a row. The order of
//! work is in shaders/rows.

use super::chain::{ChainCode, arg, rooms, scalar, scalars};
use super::element::{Element, drawn, place};
use super::files::Text;
use super::form::{Access, Form, Input, Output, SumOf, Sweep};
use crate::chain::Chain;
use crate::chain::nodes::Source;
use crate::chain::row::{Row, RowPlace};
use crate::pass::Pass;
use std::fmt::Write;

/// A chain's pass over whole rows, as code before the row step and behind it.
pub(crate) struct RowCode<'a> {
    chain: &'a Chain,
    pass: Pass,
    place: RowPlace,
    /// The operand of the row step's parameter.
    parameter: Option<&'a str>,
    /// The values that the row step is applied to; none where the pass is from y.
    before: Option<ChainCode<'a>>,
    /// Forward, what becomes of the row step's values; backward, the gradients of these.
    behind: ChainCode<'a>,
    /// Backward before the row step, with gradients.
    back: Option<ChainCode<'a>>,
    /// Backward behind it, if gradients of operands there are asked for.
    learned: Option<ChainCode<'a>>,
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
        let node = chain.nodes().swap_remove(place.node);
        let parameter = match node.arguments.first() {
            Some(Some(Source::Operand(name))) => Some(*name),
            _ => None,
        };
        Some(RowCode {
            chain,
            pass,
            parameter,
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
        text.file("math/philox.wgsl");
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
pub(super) fn sweep(text: &mut Text, code: &RowCode<'_>, lanes: u32, beside: u32) {
    text.set("LANES", format!("{lanes}u"));
    text.set("BESIDE", format!("{beside}u"));
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
    text.file(match code.place.causal {
        Some(_) => "rows/causal.wgsl",
        None => "rows/seen.wgsl",
    });
    text.file(match code.pass {
        Pass::Forward => "rows/forward.wgsl",
        Pass::Backward => "rows/backward.wgsl",
        Pass::BackwardFromY => "rows/backward_from_y.wgsl",
    });
}

/// What is generated for a form.
pub(super) struct RowText<'a> {
    pub(super) form: &'a Form,
    pub(super) code: &'a RowCode<'a>,
    pub(super) has_scalars: bool,
}

/// What a function of a word reads and draws, and the form of that alone.
struct Phase {
    form: Form,
    draws: Vec<usize>,
}

impl RowText<'_> {
    fn element<'e>(&'e self, phase: &'e Phase) -> Element<'e> {
        Element {
            form: &phase.form,
            chain: Some(self.code.chain),
            result: "",
            draws: &phase.draws,
            has_scalars: self.has_scalars,
            whole: self.form,
        }
    }

    /// The operands of a pass with these names, and those of arguments that these codes read.
    fn phase(&self, passed: &[&str], codes: &[Option<&ChainCode<'_>>]) -> Phase {
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
    fn call(&self, code: &ChainCode<'_>, function: &str, first: &[String]) -> String {
        let mut all = first.to_vec();
        let operands = code.operands();
        all.extend(operands.iter().map(|name| self.value(&arg(name))));
        let draws = code.draws().into_iter();
        all.extend(draws.map(|index| drawn(self.code.chain, index)));
        all.extend(self.has_scalars.then(|| "args.scalars".to_owned()));
        format!("{function}({})", all.join(", "))
    }

    /// An input's value, of its bits.
    fn value(&self, name: &str) -> String {
        let mut inputs = self.form.inputs.iter();
        let found = inputs.find(|input| input.name == name);
        found.map_or_else(String::new, |input| {
            format!("{}_value({name}_bits)", input.dtype)
        })
    }

    /// What makes an element NaN of what a phase reads.
    fn nan(&self, phase: &Phase, more: &str) -> String {
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
            }
            Pass::BackwardFromY => {
                self.given(out, "value", "y");
                self.given(out, "gradient", "dy");
                self.back(out);
            }
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
        let bits = match self.form.access {
            Access::Vec4 => {
                element.load_words(out);
                element.lane(0)
            }
            Access::Scalar => element.load_bits(out, "i"),
        };
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
        let with = |bits: String, extra: Option<String>| {
            let all = [Some(bits).filter(|bits| !bits.is_empty()), extra];
            all.into_iter().flatten().collect::<Vec<_>>().join(", ")
        };
        let result = match self.form.access {
            Access::Vec4 => {
                element.load_words(out);
                let lane = |lane: usize| {
                    let extra = extra.map(|extra| format!("{extra}[{lane}]"));
                    format!("{name}_one({})", with(element.lane(lane), extra))
                };
                format!("V({})", [0, 1, 2, 3].map(lane).join(", "))
            }
            Access::Scalar => {
                let bits = element.load_bits(out, "i");
                format!("{name}_one({})", with(bits, extra.map(str::to_owned)))
            }
        };
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
    fn given(&self, out: &mut String, name: &str, operand: &str) {
        let phase = self.phase(&[operand], &[]);
        self.of_one(out, name, &phase, None, &self.value(operand));
        self.of_word(out, name, &phase, None);
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
        self.store(out, &phase, "behind_one", &["value"], "nan");
        out.push_str("}\n\n");
    }

    /// Statements that load what a phase reads, call a function for each element, and store what it returns.
    fn store(&self, out: &mut String, phase: &Phase, function: &str, each: &[&str], all: &str) {
        let element = self.element(phase);
        let call = |bits: String, each: Vec<String>| {
            let mut arguments = vec![bits];
            arguments.retain(|bits| !bits.is_empty());
            arguments.extend(each);
            format!("{function}({}, {all})", arguments.join(", "))
        };
        if self.form.access == Access::Vec4 {
            element.load_words(out);
            for lane in 0..4 {
                let each = each.iter().map(|name| format!("{name}[{lane}]")).collect();
                _ = writeln!(out, "    let e{lane} = {};", call(element.lane(lane), each));
            }
            element.words_of_results(out);
            element.store_words(out, "    ");
            return;
        }
        let bits = element.load_bits(out, "i");
        let each = each.iter().map(ToString::to_string).collect();
        _ = writeln!(out, "    let e0 = {};", call(bits, each));
        for output in &phase.form.outputs {
            let place = place(&output.name, output.at.has_rows(), "i");
            let (target, result) = (element.target(output), element.output("e0", output));
            if self.form.is_atomic(target) {
                // The other half of the 32 bits may be another lane's.
                _ = writeln!(
                    out,
                    "    let o_{name} = {place};
    let shift_{name} = 16u * (o_{name} & 1u);
    atomicAnd(&{target}[o_{name} >> 1u], 0xffff0000u >> shift_{name});
    atomicOr(&{target}[o_{name} >> 1u], {result} << shift_{name});",
                    name = output.name
                );
            } else {
                _ = writeln!(out, "    {target}[{place}] = {result};");
            }
        }
    }

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
    fn back(&self, out: &mut String) {
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
                "i: u32, column: u32, turn: Turn, dz: V, value: V, lost: bool, nan: bool",
                &["dz", "value"][..],
                "lost, nan",
            ),
            false => ("i: u32, dz: V, nan: bool", &["dz"][..], "nan"),
        };
        let returned = if from_x { " -> Terms" } else { "" };
        _ = writeln!(out, "fn back({parameters}){returned} {{");
        self.store(out, &phase, "back_one", each, all);
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

    fn lanes(&self) -> usize {
        match self.form.access {
            Access::Vec4 => 4,
            Access::Scalar => 1,
        }
    }

    /// The sums, of this kind, of operands that stand before the row step or behind it.
    fn sums(&self, wanted: &[SumOf]) -> Vec<(&String, SumOf)> {
        let sums = self.form.sums.iter().zip(&self.form.sums_of);
        let sums = sums.filter(|(name, of)| wanted.contains(of) && self.part_of(name).is_some());
        sums.map(|(name, of)| (name, *of)).collect()
    }

    /// Statements that add terms to columns' sums, and return those of the row.
    fn add_up(&self, out: &mut String) {
        let lanes = self.lanes();
        for (name, of) in self.sums(&[SumOf::Column, SumOf::Element]) {
            for lane in 0..lanes {
                let (at, is_first) = match of {
                    SumOf::Column => (
                        format!("turn.slot * args.columns + column + {lane}u"),
                        "turn.is_first",
                    ),
                    _ => (format!("args.start + {lanes}u * i + {lane}u"), "true"),
                };
                _ = writeln!(
                    out,
                    "    let at_{name}_{lane} = args.sum_{name} + {at};
    partials[at_{name}_{lane}] = added(partials[at_{name}_{lane}], {is_first}, e{lane}.sum_{name}, \
                     e{lane}.nan_{name});"
                );
            }
        }
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
        _ = writeln!(out, "    return Terms({});", terms.join(", "));
    }

    /// `struct Terms`, what a row's words add up to; how two are added, and how a row's are stored.
    fn terms(&self, out: &mut String) {
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
                "\nfn row_parameter_back(product: f32, s: Stats) -> f32 {\n    return 0.0;\n}\n",
            );
        }
    }
}
