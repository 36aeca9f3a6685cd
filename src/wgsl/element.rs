//! One element of a kernel, from bits to bits, and what is loaded and stored for it: the part of a kernel that depends on how
//! many operands there are.
//!
//! `fn element` takes the bits of what is loaded for each element, and values of what is held; everything in a kernel
//! goes through it. `fn word(i)` loads, calls it for one element or four, and stores, by functions of shaders/slots. Where a
//! sweep holds values of a channel, `fn hold` and `fn hold_sample` load them into `struct Held`; where gradients are summed,
//! `word` returns `struct Terms`, `fn plus` adds two of them, and `fn put` stores one.

use super::chain::{SECOND, arg, random, scalar};
use super::exact::Exact;
use super::form::{Access, At, Form, Input, Output, Sweep};
use crate::chain::Chain;
use crate::chain::step::Function;
use std::fmt::Write;

/// `vec4(..)` of text for each of four lanes.
pub(super) fn vec4(text: impl Fn(usize) -> String) -> String {
    let lanes = [0, 1, 2, 3].map(text);
    format!("vec4({})", lanes.join(", "))
}

/// What a random step makes of the bits that it drew.
pub(super) fn drawn(chain: &Chain, index: usize) -> String {
    let nodes = chain.nodes();
    let step = nodes[index].step;
    let function = match step.function() {
        Function::Rrelu => "m_uniform",
        _ => "m_keep",
    };
    let constants = step.scalars().into_iter();
    let constants: String = constants
        .map(|(p, _)| format!(", args.scalars.{}", scalar(index, p)))
        .collect();
    format!("{function}({}_bits{constants})", random(index))
}

/// What is generated for a form.
pub(super) struct Element<'a> {
    pub(super) form: &'a Form,
    /// None for a plain copy.
    pub(super) chain: Option<&'a Chain>,
    /// The pass's result: `y` or `dx`, or [`SECOND`], which is more than one.
    pub(super) result: &'a str,
    /// The random steps, as indices of nodes.
    pub(super) draws: &'a [usize],
    pub(super) has_scalars: bool,
    /// Where results in doubt are evaluated again.
    pub(super) exact: Option<Exact>,
}

impl Element<'_> {
    pub(super) fn sweeps(&self) -> bool {
        self.form.sweep != Sweep::Each
    }

    /// Whether a sweep loads the input once for many words.
    fn is_held(&self, input: &Input) -> bool {
        self.sweeps() && matches!(input.at, At::Shared | At::Held | At::HeldSample)
    }

    fn holds(&self) -> bool {
        self.form.inputs.iter().any(|input| self.is_held(input))
    }

    /// Whether a sweep has four channels at once.
    pub(super) fn is_wide(&self) -> bool {
        matches!(self.form.sweep, Sweep::Columns(_)) && self.form.access == Access::Vec4
    }

    /// Whether an element has one result, the pass's.
    fn is_plain(&self) -> bool {
        let is_one = self.form.outputs.len() == 1 && !self.has_fields();
        self.chain.is_none() || is_one
    }

    /// Whether the chain's function returns a struct.
    fn has_fields(&self) -> bool {
        !self.form.gradients().is_empty() || self.result == SECOND
    }

    /// An element's result for an output.
    pub(super) fn output(&self, element: &str, output: &Output) -> String {
        if self.is_plain() {
            element.to_owned()
        } else {
            format!("{element}.{}", output.name)
        }
    }

    /// All of it, in the order in which it is read.
    pub(super) fn write(&self, out: &mut String) {
        self.element(out);
        if self.sweeps() {
            self.held(out);
        }
        if !self.form.sums.is_empty() {
            self.terms(out);
            self.put(out);
        }
        self.word(out);
    }

    /// The names and types of `fn element`'s parameters.
    pub(super) fn parameters(&self) -> String {
        let input = |input: &Input| match self.is_held(input) {
            true => format!("{}: f32", input.name),
            false => format!("{}_bits: u32", input.name),
        };
        let mut all: Vec<_> = self.form.inputs.iter().map(input).collect();
        let draws = self.draws.iter();
        all.extend(draws.map(|index| format!("{}_bits: u32", random(*index))));
        if self.holds() {
            all.push("held_nan: u32".into());
        }
        all.join(", ")
    }

    /// What the chain's function is called with.
    fn values(&self, chain: &Chain) -> String {
        let value = |input: &Input| match (self.is_held(input), &input.name, input.dtype) {
            (true, name, _) => name.clone(),
            (false, name, dtype) => format!("{dtype}_value({name}_bits)"),
        };
        let mut all: Vec<_> = self.form.inputs.iter().map(value).collect();
        all.extend(self.draws.iter().map(|index| drawn(chain, *index)));
        if self.has_scalars {
            all.push("args.scalars".into());
        }
        all.join(", ")
    }

    /// Whether NaN in an input makes an element NaN, whatever else it is made of.
    fn counts(&self, input: &Input) -> bool {
        let operands = self.chain.into_iter().flat_map(Chain::operands);
        let mut named = operands.filter(|name| arg(name) == input.name);
        named.all(|name| self.chain.is_none_or(|chain| chain.counts_everywhere(name)))
    }

    /// The test, on bits, for what makes an element NaN.
    pub(super) fn nan(&self) -> String {
        self.nan_without("")
    }

    /// The same, if one input does not matter.
    fn nan_without(&self, other: &str) -> String {
        let inputs = self.form.inputs.iter();
        let inputs = inputs.filter(|input| !self.is_held(input) && self.counts(input));
        let inputs = inputs.filter(|input| input.name != other);
        let tests = inputs.map(|Input { name, dtype, .. }| format!("{dtype}_is_nan({name}_bits)"));
        let held = self.holds().then(|| "(held_nan > 0u)".into());
        tests.chain(held).collect::<Vec<_>>().join(" | ")
    }

    /// The function of one element, from bits to bits; with more than one result, to a struct.
    fn element(&self, out: &mut String) {
        let (parameters, outputs) = (self.parameters(), &self.form.outputs);
        let Some(chain) = self.chain else {
            let bits = self.form.inputs.iter();
            let bits: Vec<_> = bits.map(|input| format!("{}_bits", input.name)).collect();
            let result = bits.join(" ^ ");
            _ = writeln!(
                out,
                "fn element({parameters}) -> u32 {{\n    return {result};\n}}\n"
            );
            return;
        };
        if let Some(exact) = self.exact {
            exact.element(self, out);
            return;
        }
        let (values, nan) = (self.values(chain), self.nan());
        if self.is_plain() {
            let Output { name, dtype, .. } = &outputs[0];
            _ = writeln!(
                out,
                "fn element({parameters}) -> u32 {{\n    return {dtype}_bits(chain_{name}({values}), {nan});\n}}\n"
            );
            return;
        }
        let learns = !self.form.gradients().is_empty();
        let (mut fields, mut results) = (String::new(), Vec::new());
        for Output { name, dtype, .. } in outputs {
            _ = writeln!(fields, "    {name}: u32,");
            let result = match self.has_fields() {
                true => &format!("g.{name}"),
                false => "g",
            };
            // ddy is linear in ddx, and dy is not in it.
            let nan = match name.as_str() {
                "ddy" => &self.nan_without("dy"),
                _ => "nan",
            };
            results.push(format!("{dtype}_bits({result}, {nan})"));
        }
        for name in &self.form.sums {
            _ = writeln!(fields, "    sum_{name}: f32,");
            results.push(format!("g.d_{name}"));
        }
        if !self.form.sums.is_empty() {
            fields.push_str("    nan: bool,\n");
            results.push("nan".into());
        }
        let function = if learns { "gradients" } else { self.result };
        _ = writeln!(
            out,
            "struct Element {{\n{fields}}}\n\nfn element({parameters}) -> Element {{\n    let nan = {nan};\n    \
             let g = chain_{function}({values});\n    return Element({});\n}}\n",
            results.join(", ")
        );
    }

    /// `struct Held`, and the functions that load into it: once for a channel, and for each sample.
    fn held(&self, out: &mut String) {
        let (float, uint) = match self.is_wide() {
            true => ("vec4<f32>", "vec4<u32>"),
            false => ("f32", "u32"),
        };
        let held = self.form.inputs.iter().filter(|input| self.is_held(input));
        let fields: String = held
            .clone()
            .map(|input| format!("    {}: {float},\n", input.name))
            .collect();
        let load = |input: &Input, from: &str| {
            let Input { name, dtype, .. } = input;
            let (value, nan) = if self.is_wide() {
                (
                    vec4(|lane| format!("{dtype}_value(b_{name}[{lane}])")),
                    vec4(|lane| format!("select(0u, 1u, {dtype}_is_nan(b_{name}[{lane}]))")),
                )
            } else {
                (
                    format!("{dtype}_value(b_{name})"),
                    format!("select(0u, 1u, {dtype}_is_nan(b_{name}))"),
                )
            };
            let counts = self.counts(input).then(|| format!("    h.nan |= {nan};\n"));
            let nan = counts.unwrap_or_default();
            let bits = match (self.is_wide(), input.at) {
                (false, _) => format!("bits_{name}(args.{name}{from})"),
                (true, At::Shared) => format!("vec4(bits_{name}(args.{name}))"),
                (true, _) => format!("four_{name}(args.{name}{from})"),
            };
            format!("    let b_{name} = {bits};\n    h.{name} = {value};\n{nan}")
        };
        let of = |at: At, from: &str| -> String {
            let inputs = held.clone().filter(|input| input.at == at);
            inputs.map(|input| load(input, from)).collect()
        };
        let of_sample = match of(At::HeldSample, " + place") {
            none if none.is_empty() => "    return held;\n".to_owned(),
            loads => format!("    var h = held;\n{loads}    return h;\n"),
        };
        _ = writeln!(
            out,
            "// What a channel's elements have in common, and whether any of it is NaN.\nstruct Held {{\n    nan: \
             {uint},\n{fields}}}\n\nfn hold(channel: u32) -> Held {{\n    var h: Held;\n{}{}    return h;\n}}\n\nfn \
             hold_sample(held: Held, place: u32) -> Held {{\n{of_sample}}}\n",
            of(At::Shared, ""),
            of(At::Held, " + channel"),
        );
    }

    /// `struct Terms`, what a word adds to each sum, and whether that is NaN; and `fn plus`.
    fn terms(&self, out: &mut String) {
        let (float, uint) = match self.is_wide() {
            true => ("vec4<f32>", "vec4<u32>"),
            false => ("f32", "u32"),
        };
        let sums = self.form.sums.iter();
        let fields = sums.clone().map(|name| format!("    d_{name}: {float},\n"));
        let fields: String = fields.collect();
        let added: String = sums
            .map(|name| format!("a.d_{name} + b.d_{name}, "))
            .collect();
        _ = writeln!(
            out,
            "struct Terms {{\n{fields}    nan: {uint},\n}}\n\nfn plus(a: Terms, b: Terms) -> Terms {{\n    return \
             Terms({added}a.nan | b.nan);\n}}\n"
        );
    }

    /// `fn put`: stores partial sums, or four of each; NaN by its bits.
    fn put(&self, out: &mut String) {
        let mut lines = String::new();
        for (index, name) in self.form.sums.iter().enumerate() {
            let at = format!("{index}u * args.stride + at");
            if self.is_wide() {
                _ = writeln!(
                    lines,
                    "    let bits_{name} = select(bitcast<vec4<u32>>(sum.d_{name}), vec4(0x7fc00000u), sum.nan > vec4(0u));"
                );
                for lane in 0..4 {
                    _ = writeln!(lines, "    partials[{at} + {lane}u] = bits_{name}[{lane}];");
                }
            } else {
                _ = writeln!(
                    lines,
                    "    partials[{at}] = select(bitcast<u32>(sum.d_{name}), 0x7fc00000u, sum.nan > 0u);"
                );
            }
        }
        _ = writeln!(out, "fn put(at: u32, sum: Terms) {{\n{lines}}}\n");
    }

    /// `fn word(i)`: the i-th word, or element; of elements that share 32 bits, `fn one`, which slots/halves.wgsl calls.
    fn word(&self, out: &mut String) {
        let mut outputs = self.form.outputs.iter();
        if self.form.access == Access::Scalar && outputs.any(|output| output.dtype.size() < 4) {
            self.one(out);
            return;
        }
        if let Some(exact) = self.exact {
            exact.again(self, out);
        }
        let held = if self.sweeps() { ", held: Held" } else { "" };
        let returned = match self.form.sums.is_empty() {
            true if self.is_settled() => " -> u32",
            true => "",
            false => " -> Terms",
        };
        _ = writeln!(out, "fn word(i: u32{held}){returned} {{");
        if !self.sweeps() {
            let nothing = if self.is_settled() { " 0u" } else { "" };
            _ = writeln!(
                out,
                "    if {}i >= args.len {{\n        return{nothing};\n    }}",
                match self.form.access {
                    Access::Vec4 => "4u * ",
                    Access::Scalar => "",
                }
            );
        }
        match self.exact {
            Some(exact) => exact.word(self, out),
            None => self.results(out, "element", &[], &[]),
        }
        if !self.form.sums.is_empty() {
            self.return_terms(out);
        }
        out.push_str("}\n");
    }

    /// Elements that are evaluated one by one, and stored in pairs.
    fn one(&self, out: &mut String) {
        let functions = [("one", "element"), ("again", "exactly")];
        let exact = usize::from(self.exact.is_some());
        for (name, function) in &functions[..=exact] {
            _ = writeln!(out, "fn {name}(i: u32) -> u32 {{");
            self.load(out);
            let result = format!("{function}({})", self.lane(0));
            let result = self.output(&result, &self.form.outputs[0]);
            _ = writeln!(out, "    return {result};\n}}\n");
        }
    }

    /// Statements that load a word or an element, call a function of one element, and store what it returns. It takes its part
    /// of each of `words` too, and all of `more`.
    pub(super) fn results(&self, out: &mut String, function: &str, words: &[&str], more: &[&str]) {
        self.load(out);
        for lane in 0..self.form.access.lanes() {
            let part = self.part(lane);
            let words = words.iter().map(|word| format!("{word}{part}"));
            let more = more.iter().map(ToString::to_string);
            let all = std::iter::once(self.lane(lane)).chain(words).chain(more);
            let all: Vec<_> = all.filter(|text| !text.is_empty()).collect();
            _ = writeln!(out, "    let e{lane} = {function}({});", all.join(", "));
        }
        self.store(out);
    }

    /// What picks a lane's part of a word's value.
    pub(super) fn part(&self, lane: usize) -> String {
        match self.form.access {
            Access::Vec4 => format!("[{lane}]"),
            Access::Scalar => String::new(),
        }
    }

    /// Statements that load what four elements are made of, or one, as `w_<name>`, and draw.
    pub(super) fn load(&self, out: &mut String) {
        for input in self.form.inputs.iter().filter(|input| !self.is_held(input)) {
            let name = &input.name;
            let pairs = self.form.memory(input);
            let word = match (self.form.access, input.at) {
                (Access::Scalar, _) => format!("bits_{name}(at_{name}(i))"),
                (_, At::Even) => format!("p_{pairs}.even"),
                (_, At::Odd) => format!("p_{pairs}.odd"),
                _ => format!("word_{name}(i)"),
            };
            if self.form.access == Access::Vec4 && input.is_first_of_pairs() {
                _ = writeln!(out, "    let p_{name} = pairs_{name}(i);");
            }
            _ = writeln!(out, "    let w_{name} = {word};");
        }
        if !self.draws.is_empty() {
            out.push_str("    let first = args.start + WIDTH * i;\n");
        }
        let random = self.chain.map(Chain::draws).unwrap_or_default();
        let mine = random.iter().enumerate();
        for (offset, step) in mine.filter(|(_, step)| self.draws.contains(step)) {
            _ = writeln!(out, "    let draws_{} = draw(first, {offset}u);", step + 1);
        }
    }

    /// What `element` is called with for one of a word's lanes.
    pub(super) fn lane(&self, lane: usize) -> String {
        let part = self.part(lane);
        let held = if self.is_wide() { part.as_str() } else { "" };
        let bits = |input: &Input| match self.is_held(input) {
            true => format!("held.{}{held}", input.name),
            false => format!("w_{}{part}", input.name),
        };
        let mut all: Vec<_> = self.form.inputs.iter().map(bits).collect();
        let drawn = match self.form.access {
            Access::Vec4 => part.as_str(),
            Access::Scalar => "[first & 3u]",
        };
        let draws = self.draws.iter();
        all.extend(draws.map(|step| format!("draws_{}{drawn}", step + 1)));
        all.extend(self.holds().then(|| format!("held.nan{held}")));
        all.join(", ")
    }

    /// Statements that store the results `e0` to `e3`, or `e0`.
    fn store(&self, out: &mut String) {
        for (index, output) in self.form.outputs.iter().enumerate() {
            let word = |output: &Output| match self.form.access {
                Access::Vec4 => vec4(|lane| self.output(&format!("e{lane}"), output)),
                Access::Scalar => self.output("e0", output),
            };
            let mut words = vec![word(output)];
            words.extend(self.form.other_of_pairs(index).map(word));
            let put = if words.len() > 1 { "put_pairs" } else { "put" };
            if output.at == At::Odd {
                words.reverse();
            }
            if output.beside.is_none() {
                _ = writeln!(out, "    {put}_{}(i, {});", output.name, words.join(", "));
            }
        }
    }

    /// What a word adds to each sum.
    fn return_terms(&self, out: &mut String) {
        let bit = |nan: &str| format!("select(0u, 1u, {nan})");
        let lanes = |field: &str| [0, 1, 2, 3].map(|lane| format!("e{lane}.{field}"));
        let wide = self.is_wide();
        let term = |field: &str| match (self.form.access, wide) {
            (Access::Scalar, _) => format!("e0.{field}"),
            (_, true) => format!("vec4({})", lanes(field).join(", ")),
            (_, false) => format!("(e0.{field} + e1.{field}) + (e2.{field} + e3.{field})"),
        };
        let sums = self.form.sums.iter();
        let mut terms: Vec<_> = sums.map(|name| term(&format!("sum_{name}"))).collect();
        terms.push(match (self.form.access, wide) {
            (Access::Scalar, _) => bit("e0.nan"),
            (_, true) => format!("vec4({})", lanes("nan").map(|nan| bit(&nan)).join(", ")),
            (_, false) => bit(&lanes("nan").join(" | ")),
        });
        _ = writeln!(out, "    return Terms({});", terms.join(", "));
    }
}
