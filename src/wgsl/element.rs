//! One element of a kernel, from bits to bits, and how its operands are loaded and stored: the part of a kernel that
//! depends on how many operands there are.
//!
//! `fn element` takes the bits of what is loaded for each element, and values of what is held; everything in a kernel
//! goes through it. `fn word(i)` loads, calls it for one element or four, and stores. Where a sweep holds values of a
//! channel, `fn hold` and `fn hold_sample` load them into `struct Held`; where gradients are summed, `word` returns
//! `struct Terms`, `fn plus` adds two of them, and `fn put` stores one.

use super::chain::{SECOND, arg, random};
use super::exact::Exact;
use super::form::{Access, At, Form, Input, Output, Sweep};
use super::places::{drawn, fetch, of_pairs, pairs, place, vec4};
use crate::chain::Chain;
use std::fmt::Write;

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
    /// The whole kernel's form, where `form` is that of one of its functions.
    pub(super) whole: &'a Form,
    /// Where results in doubt are evaluated again.
    pub(super) exact: Option<Exact>,
}

impl Element<'_> {
    pub(super) fn sweeps(&self) -> bool {
        self.form.sweep != Sweep::Each
    }

    pub(super) fn divides(&self) -> bool {
        let divided = |input: &Input| input.at == At::Rows || input.at.is_of_channel();
        let in_rows = |output: &Output| matches!(output.at, At::Rows | At::Ragged);
        self.form.inputs.iter().any(divided) || self.form.outputs.iter().any(in_rows)
    }

    /// Whether elements are counted from the beginning of x: for channels and random numbers.
    fn counts_elements(&self) -> bool {
        let per_channel = |input: &Input| input.at.is_of_channel();
        !self.draws.is_empty() || self.form.inputs.iter().any(per_channel)
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

    /// Whether an input has a value for each of the four elements of a word.
    fn is_fourfold(&self, input: &Input) -> bool {
        input.at == At::Channels || (self.is_wide() && self.is_held(input))
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

    /// The variable that an output is stored through.
    pub(super) fn target<'b>(&'b self, output: &'b Output) -> &'b str {
        match (output.beside, output.in_place) {
            (Some(other), _) => self.target(&self.whole.outputs[other]),
            (_, Some(input)) => &self.whole.inputs[self.whole.bound(input)].name,
            _ => &output.name,
        }
    }

    /// The variable that an input is loaded from.
    pub(super) fn source<'b>(&'b self, input: &'b Input) -> &'b str {
        match input.beside {
            Some(other) => &self.form.inputs[other].name,
            None => &input.name,
        }
    }

    /// An input's value, or four, from `at_<name>` on, as bits.
    fn bits_at(&self, input: &Input) -> String {
        let Input {
            name, dtype, at, ..
        } = input;
        if !self.is_fourfold(input) {
            fetch(name, *dtype, &format!("at_{name}"), false)
        } else if *at == At::Shared {
            format!(
                "vec4({})",
                fetch(name, *dtype, &format!("(at_{name})"), false)
            )
        } else {
            vec4(|lane| fetch(name, *dtype, &format!("(at_{name} + {lane}u)"), false))
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
                    vec4(|lane| format!("{dtype}_value(bits_{name}[{lane}])")),
                    vec4(|lane| format!("select(0u, 1u, {dtype}_is_nan(bits_{name}[{lane}]))")),
                )
            } else {
                (
                    format!("{dtype}_value(bits_{name})"),
                    format!("select(0u, 1u, {dtype}_is_nan(bits_{name}))"),
                )
            };
            let counts = self.counts(input).then(|| format!("    h.nan |= {nan};\n"));
            let nan = counts.unwrap_or_default();
            format!(
                "    let at_{name} = args.{name}{from};\n    let bits_{name} = {};\n    h.{name} = {value};\n{nan}",
                self.bits_at(input)
            )
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

    /// `fn word(i)`: the i-th word, or element, or pair of elements.
    fn word(&self, out: &mut String) {
        let held = if self.sweeps() { ", held: Held" } else { "" };
        let is_settled = self.is_settled();
        let returned = match self.form.sums.is_empty() {
            true if is_settled => " -> u32",
            true => "",
            false => " -> Terms",
        };
        let small = self
            .form
            .outputs
            .iter()
            .any(|output| output.dtype.size() < 4);
        let pairs = self.form.access == Access::Scalar && small;
        if pairs {
            self.one(out, "one", "element");
            if self.exact.is_some() {
                self.one(out, "again", "exactly");
            }
        }
        _ = writeln!(out, "fn word(i: u32{held}){returned} {{");
        match self.form.access {
            Access::Vec4 => self.word_of_four(out),
            Access::Scalar if pairs && self.form.outputs[0].at == At::Ragged => self.ragged(out),
            Access::Scalar if pairs => self.pair(out),
            Access::Scalar => self.single(out),
        }
        if !self.form.sums.is_empty() {
            self.return_terms(out);
        }
        if is_settled && self.form.whole {
            out.push_str("    return open;\n");
        }
        out.push_str("}\n");
        if is_settled {
            Exact::settle(self, out);
        }
    }

    /// The input that lies where this one does, if it is among those that are read here.
    fn like<'i>(&self, input: &'i Input) -> Option<&'i str> {
        let like = input.like.as_deref()?;
        let mut inputs = self.form.inputs.iter();
        inputs.any(|input| input.name == like).then_some(like)
    }

    /// Statements that find the place of what an input has for element `element`; none where it is held.
    fn find(&self, out: &mut String, input: &Input, element: &str) {
        let Input { name, at, .. } = input;
        _ = match at {
            At::Even | At::Odd => {
                let place = pairs(name, input.dtype, element);
                writeln!(out, "    let at_{name} = {place};")
            }
            At::Each | At::Rows | At::Ragged => {
                let place = place(self.form, name, *at, element);
                writeln!(out, "    let at_{name} = {place};")
            }
            _ if at.is_of_channel() && self.like(input).is_some() => {
                let like = self.like(input).unwrap_or_default();
                writeln!(
                    out,
                    "    let at_{name} = args.{name} + (at_{like} - args.{like});"
                )
            }
            At::ChannelWords => {
                let words = "args.words_NAME * \
                             m_divide(first >> 2u, args.words_magic_NAME, args.words_shift_NAME)";
                let words = words.replace("NAME", name);
                writeln!(
                    out,
                    "    let at_{name} = args.{name} + (first >> 2u) - {words};"
                )
            }
            At::Channel | At::Channels => {
                let row = "m_divide(row_NAME, args.channels_magic_NAME, args.channels_shift_NAME)";
                let rows = match input.has_periods {
                    true => format!(
                        "({row} - m_divide(first, args.period_magic_NAME, args.period_shift_NAME))"
                    ),
                    false => row.to_owned(),
                };
                let rows = rows.replace("NAME", name);
                writeln!(
                    out,
                    "    let row_{name} = m_divide(first, args.inner_magic_{name}, args.inner_shift_{name});
    let at_{name} = args.{name} + row_{name} - args.channels_{name} * {rows};"
                )
            }
            At::Shared | At::Held | At::HeldSample => {
                writeln!(out, "    let at_{name} = args.{name};")
            }
        };
    }

    /// The numbers that the random steps draw for four elements, of which `first` is one.
    fn draw(&self, out: &mut String) {
        // Each random step of the chain has an offset of its own, which is the counter's upper half.
        let random = self.chain.map(Chain::draws).unwrap_or_default();
        let mine = random.iter().enumerate();
        for (offset, step) in mine.filter(|(_, step)| self.draws.contains(step)) {
            let low = format!("args.offset_low + {offset}u");
            let high = format!("args.offset_high + select(0u, 1u, {low} < args.offset_low)");
            _ = writeln!(
                out,
                "    let draws_{} = m_philox(vec4(first >> 2u, 0u, {low}, {high}), vec2(args.seed_low, \
                 args.seed_high));",
                step + 1
            );
        }
    }

    /// Statements that load the words `w_<name>`, call `element` for each of their four, and store the words
    /// `r_<name>`.
    fn word_of_four(&self, out: &mut String) {
        // What is swept always is.
        let is_whole = self.form.whole || self.sweeps();
        if !self.sweeps() {
            let nothing = if self.is_settled() { " 0u" } else { "" };
            _ = writeln!(
                out,
                "    if 4u * i >= args.len {{\n        return{nothing};\n    }}"
            );
        }
        self.load_words(out);
        let first = if self.exact.is_some() { "f" } else { "e" };
        for lane in 0..4 {
            _ = writeln!(out, "    let {first}{lane} = element({});", self.lane(lane));
        }
        if let Some(exact) = self.exact {
            exact.four(self, out);
        }
        self.words_of_results(out);
        if is_whole {
            self.store_words(out, "    ");
        } else {
            self.store_end(out);
        }
    }

    /// Statements that load the words `w_<name>`, and draw.
    pub(super) fn load_words(&self, out: &mut String) {
        if self.counts_elements() {
            out.push_str("    let first = args.start + 4u * i;\n");
        }
        for input in self.form.inputs.iter().filter(|input| !self.is_held(input)) {
            let name = &input.name;
            if input.beside.is_none() {
                self.find(out, input, "i");
            }
            let word = match input.at {
                At::Each | At::Rows | At::ChannelWords => format!("{name}[at_{name}]"),
                At::Even | At::Odd => {
                    self.load_pairs(out, input);
                    of_pairs(self.source(input), input)
                }
                _ => self.bits_at(input),
            };
            _ = writeln!(out, "    let w_{name} = {word};");
        }
        self.draw(out);
    }

    /// Statements that join four results to the words `r_<name>`, and say where these are stored.
    pub(super) fn words_of_results(&self, out: &mut String) {
        for output in &self.form.outputs {
            let Output {
                name, dtype, at, ..
            } = output;
            let [a, b, c, d] = ["e0", "e1", "e2", "e3"].map(|e| self.output(e, output));
            let alternates = matches!(at, At::Even | At::Odd);
            let result = if dtype.size() == 4 || alternates {
                format!("vec4({a}, {b}, {c}, {d})")
            } else {
                format!("vec2({a} | ({b} << 16u), {c} | ({d} << 16u))")
            };
            let place = match alternates {
                true => pairs(name, *dtype, "i"),
                false => place(self.form, name, *at, "i"),
            };
            _ = writeln!(
                out,
                "    let r_{name} = {result};\n    let o_{name} = {place};"
            );
        }
    }

    /// Loads the words of four pairs, once for both operands.
    fn load_pairs(&self, out: &mut String, input: &Input) {
        let name = &input.name;
        if input.beside.is_none() {
            _ = writeln!(out, "    let low_{name} = {name}[at_{name}];");
            if input.dtype.size() == 4 {
                _ = writeln!(out, "    let high_{name} = {name}[at_{name} + 1u];");
            }
        }
    }

    /// What `element` is called with for one of a word's four.
    pub(super) fn lane(&self, lane: usize) -> String {
        self.lane_bits(lane).join(", ")
    }

    /// The same one by one.
    pub(super) fn lane_bits(&self, lane: usize) -> Vec<String> {
        let bits = |input: &Input| {
            let name = &input.name;
            match (self.is_held(input), input.at, input.dtype.size(), lane) {
                (true, ..) if self.is_wide() => format!("held.{name}[{lane}]"),
                (true, ..) => format!("held.{name}"),
                (_, At::Channels | At::Even | At::Odd, ..) => format!("w_{name}[{lane}]"),
                (_, At::Shared | At::Channel | At::Held | At::HeldSample, ..) => {
                    format!("w_{name}")
                }
                (.., 4, _) => format!("w_{name}[{lane}]"),
                (.., 0 | 2) => format!("w_{name}[{}] & 0xffffu", lane / 2),
                _ => format!("w_{name}[{}] >> 16u", lane / 2),
            }
        };
        let mut all: Vec<_> = self.form.inputs.iter().map(bits).collect();
        let draws = self.draws.iter();
        all.extend(draws.map(|step| format!("draws_{}[{lane}]", step + 1)));
        if self.holds() {
            all.push(match self.is_wide() {
                true => format!("held.nan[{lane}]"),
                false => "held.nan".into(),
            });
        }
        all
    }

    /// A function that loads an element and returns what another one makes of it.
    fn one(&self, out: &mut String, name: &str, function: &str) {
        _ = writeln!(out, "fn {name}(e: u32) -> u32 {{");
        let bits = self.load_bits(out, "e");
        let result = self.output(&format!("{function}({bits})"), &self.form.outputs[0]);
        _ = writeln!(out, "    return {result};\n}}\n");
    }

    /// Statements that find one element, an identifier. Returns what `element` is called with.
    pub(super) fn load_bits(&self, out: &mut String, element: &str) -> String {
        if self.counts_elements() {
            _ = writeln!(out, "    let first = args.start + {element};");
        }
        let mut bits = Vec::new();
        for input in &self.form.inputs {
            let name = &input.name;
            if self.is_held(input) {
                bits.push(format!("held.{name}"));
                continue;
            }
            self.find(out, input, element);
            let is_atomic = self.whole.is_atomic(name);
            bits.push(fetch(name, input.dtype, &format!("at_{name}"), is_atomic));
        }
        self.draw(out);
        let draws = self.draws.iter();
        bits.extend(draws.map(|step| format!("draws_{}[first & 3u]", step + 1)));
        bits.extend(self.holds().then(|| "held.nan".into()));
        bits.join(", ")
    }
}
