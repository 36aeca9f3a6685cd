//! How an element's kernel stores: words of four elements, the last of which may not be whole, and pairs that share 32 bits.

use super::element::Element;
use super::exact::Exact;
use super::form::{Access, At, Output};
use super::places::place;
use std::fmt::Write;

impl Element<'_> {
    pub(super) fn store_words(&self, out: &mut String, indent: &str) {
        for (index, output) in self.form.outputs.iter().enumerate() {
            let (name, target) = (&output.name, self.target(output));
            if matches!(output.at, At::Each | At::Rows) {
                _ = writeln!(out, "{indent}{target}[o_{name}] = r_{name};");
            } else if output.beside.is_none() {
                let whole = self.store_whole_pairs(index);
                for line in whole.unwrap_or_else(|| self.store_pairs(index, 0..4)) {
                    _ = writeln!(out, "{indent}{line}");
                }
            }
        }
    }

    /// The output that alternates with one, and is stored along with it.
    fn other_of_pairs(&self, index: usize) -> Option<&Output> {
        let mut others = self.form.outputs.iter();
        others.find(|other| other.beside == Some(index))
    }

    /// Statements that store four whole pairs as words, where both elements of each are written.
    fn store_whole_pairs(&self, index: usize) -> Option<Vec<String>> {
        let (output, other) = (&self.form.outputs[index], self.other_of_pairs(index)?);
        let (target, name) = (self.target(output), &output.name);
        let [even, odd] = match output.at {
            At::Odd => [&other.name, name],
            _ => [name, &other.name],
        };
        if output.dtype.size() < 4 {
            let word = format!("r_{even} | (r_{odd} << vec4(16u))");
            return Some(vec![format!("{target}[o_{name}] = {word};")]);
        }
        let word = |first: usize| {
            let pair = |lane: usize| format!("r_{even}[{lane}], r_{odd}[{lane}]");
            format!("vec4({}, {})", pair(first), pair(first + 1))
        };
        Some(vec![
            format!("{target}[o_{name}] = {};", word(0)),
            format!("{target}[o_{name} + 1u] = {};", word(2)),
        ])
    }

    /// Statements that store some of four elements that alternate with others, which are stored along with them, or stay as
    /// they are.
    fn store_pairs(&self, index: usize, lanes: std::ops::Range<usize>) -> Vec<String> {
        let output = &self.form.outputs[index];
        let both = [Some(output), self.other_of_pairs(index)];
        let (target, name) = (self.target(output), &output.name);
        let mut lines = Vec::new();
        for lane in lanes {
            if output.dtype.size() == 4 {
                for one in both.into_iter().flatten() {
                    let (word, part) = (lane / 2, 2 * (lane % 2) + usize::from(one.at == At::Odd));
                    let part = ["x", "y", "z", "w"][part];
                    let value = format!("r_{}[{lane}]", one.name);
                    lines.push(format!("{target}[o_{name} + {word}u].{part} = {value};"));
                }
                continue;
            }
            let part = format!("{target}[o_{name}][{lane}]");
            let half = |one: &Output| match one.at {
                At::Odd => format!("(r_{}[{lane}] << 16u)", one.name),
                _ => format!("r_{}[{lane}]", one.name),
            };
            let beside = match both {
                [_, Some(other)] => half(other),
                _ if output.at == At::Odd => format!("({part} & 0xffffu)"),
                _ => format!("({part} & 0xffff0000u)"),
            };
            lines.push(format!("{part} = {} | {beside};", half(output)));
        }
        lines
    }

    /// The last word may reach behind the operand: there only its own elements are written, and an element's
    /// neighbour in the same 32 bits is written back as it was.
    pub(super) fn store_end(&self, out: &mut String) {
        out.push_str("    let left = args.len - 4u * i;\n    if left >= 4u {\n");
        self.store_words(out, "        ");
        let found = if self.is_settled() { " open" } else { "" };
        _ = writeln!(out, "        return{found};\n    }}");
        for (index, output) in self.form.outputs.iter().enumerate() {
            let name = &output.name;
            let at = format!("{}[o_{name}]", self.target(output));
            if matches!(output.at, At::Even | At::Odd) {
                for lane in (0..3).filter(|_| output.beside.is_none()) {
                    let lines = self.store_pairs(index, lane..lane + 1).join("\n        ");
                    _ = writeln!(out, "    if left > {lane}u {{\n        {lines}\n    }}");
                }
                continue;
            }
            out.push_str(&if output.dtype.size() == 4 {
                format!(
                    "    {at}.x = r_{name}.x;
    if left > 1u {{
        {at}.y = r_{name}.y;
    }}
    if left > 2u {{
        {at}.z = r_{name}.z;
    }}
"
                )
            } else {
                format!(
                    "    if left == 1u {{
        {at}.x = ({at}.x & 0xffff0000u) | (r_{name}.x & 0xffffu);
    }} else {{
        {at}.x = r_{name}.x;
    }}
    if left == 3u {{
        {at}.y = ({at}.y & 0xffff0000u) | (r_{name}.y & 0xffffu);
    }}
"
                )
            });
        }
        if self.is_settled() {
            out.push_str("    return open;\n");
        }
    }

    /// The two elements that share the 32 bits of a smaller result, so that no two invocations write to one place.
    /// Where the offset is odd, the first element is the upper half of its word: `e` wraps below zero then. There is
    /// one output, and rows begin at whole words.
    pub(super) fn pair(&self, out: &mut String) {
        let output = &self.form.outputs[0];
        let (name, target) = (&output.name, self.target(output));
        let at = if output.at == At::Rows {
            format!("({}) >> 1u", place(self.form, name, output.at, "e"))
        } else {
            format!("(args.{name} >> 1u) + i")
        };
        _ = writeln!(
            out,
            "    let e = 2u * i - (args.{name} & 1u);
    let low = e < args.len;
    let high = e + 1u < args.len;
    if !(low | high) {{
        return;
    }}
    let at = {at};"
        );
        self.store_pair(out, target);
    }

    /// One element of a row, with the next if the two share 32 bits, so that no two invocations write to one place: what is
    /// beside a row in its first or last word is not this operand's. There is one output.
    pub(super) fn ragged(&self, out: &mut String) {
        let output = &self.form.outputs[0];
        let (name, target) = (&output.name, self.target(output));
        let at = place(self.form, name, output.at, "i");
        _ = writeln!(
            out,
            "    if i >= args.len {{
        return;
    }}
    let in_row = i - args.row_{name} * m_divide(i, args.row_magic_{name}, args.row_shift_{name});
    let at_element = {at};
    let low = (at_element & 1u) == 0u;
    if !low & (in_row > 0u) {{
        return;
    }}
    let high = !low | (in_row + 1u < args.row_{name});
    let e = select(i - 1u, i, low);
    let at = at_element >> 1u;"
        );
        self.store_pair(out, target);
    }

    /// Statements that evaluate the elements `e` and `e + 1`, as far as `low` and `high` say, and store them in the 32 bits
    /// `at`, whose other half stays.
    fn store_pair(&self, out: &mut String, target: &str) {
        out.push_str(
            "    var pair = vec2(0u);
    if low {
        pair.x = one(e);
    }
    if high {
        pair.y = one(e + 1u);
    }
",
        );
        if self.exact.is_some() {
            Exact::pair(out);
        }
        _ = writeln!(
            out,
            "    var bits = {target}[at];
    if low {{
        bits = (bits & 0xffff0000u) | pair.x;
    }}
    if high {{
        bits = (bits & 0xffffu) | (pair.y << 16u);
    }}
    {target}[at] = bits;"
        );
    }

    /// What a word adds to each sum.
    pub(super) fn return_terms(&self, out: &mut String) {
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

    /// An element whose results have 32 bits each.
    pub(super) fn single(&self, out: &mut String) {
        if !self.sweeps() {
            out.push_str("    if i >= args.len {\n        return;\n    }\n");
        }
        let bits = self.load_bits(out, "i");
        _ = writeln!(out, "    let e0 = element({bits});");
        for output in &self.form.outputs {
            let place = place(self.form, &output.name, output.at, "i");
            let (target, result) = (self.target(output), self.output("e0", output));
            _ = writeln!(out, "    {target}[{place}] = {result};");
        }
    }
}
