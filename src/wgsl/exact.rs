//! Results of 16 bits that are the numbers nearest to what they should be.
//!
//! f32 has digits enough for nearly all of them. What it makes of an element is looked at before it is rounded: where it is
//! so near to the middle between two numbers that its error may decide (`f16_doubt` in shaders/wide/f16.wgsl), or may have
//! been flushed, the element is evaluated once more, with 64 digits, by integers (shaders/wide). That is one element in 500.
//! Software adapters execute both sides of an `if`, and the body of a loop at least once; so it is done once for many words
//! (shaders/sweep/each_settled.wgsl), wherever operands lie in words, one element behind the other.

use super::chain::scalar;
use super::element::Element;
use super::files::Text;
use super::form::{Access, At, Body, Form, Sweep};
use super::places::place;
use super::stubs::shader;
use crate::act::Activation;
use crate::chain::Chain;
use crate::for_each_activation;
use crate::pass::Pass;
use crate::tensor::dtype::DType;
use std::fmt::Write;

macro_rules! rooms {
    ($(
        $name:ident [$($alias:literal),*] = $variant:ident
        $({ $($parameter:ident: $default:literal),+ })?, $formula:literal;
    )+) => {
        &[$((stringify!($name), shader!(concat!("../../shaders/wide/act/", stringify!($name), ".wgsl")))),+]
    };
}

/// Each activation's functions of 64 digits.
const ROOMS: &[(&str, &str)] = for_each_activation!(rooms);

/// A chain's pass that is one activation, with constants.
#[derive(Clone, Copy)]
pub(super) struct Exact {
    activation: Activation,
    pass: Pass,
    /// Whether elements are settled behind all words of an invocation, by `fn settle`; else each beside its word.
    pub(super) is_behind: bool,
}

/// Whether a pass on operands of these dtypes has results that f32 cannot settle: it is one activation with constants, and
/// all have 16 bits.
pub(crate) fn settles(
    body: Body<'_>,
    mut inputs: impl Iterator<Item = DType>,
    output: DType,
) -> bool {
    let activation = body.chain().and_then(Chain::single);
    let is_needed = activation.is_some_and(|activation| {
        output == DType::BF16 || !activation.entry().room.is_exact_in_f32
    });
    let is_narrow = output.size() == 2 && inputs.all(|dtype| dtype.size() == 2);
    is_needed && is_narrow && Pass::FROM_X.contains(&body.pass())
}

impl Exact {
    /// Of a kernel whose operands all have 16 bits, unless f32 gives it all.
    pub(super) fn of(chain: &Chain, pass: Pass, form: &Form) -> Option<Exact> {
        let [output] = form.outputs.as_slice() else {
            return None;
        };
        let inputs = form.inputs.iter().map(|input| input.dtype);
        let is_plain = form.sweep == Sweep::Each && form.gradients().is_empty();
        let settles = is_plain && settles(Body::Chain(chain, pass), inputs, output.dtype);
        let activation = chain.single().filter(|_| settles)?;
        let is_each = form.inputs.iter().all(|input| input.at == At::Each) && output.at == At::Each;
        Some(Exact {
            activation,
            pass,
            is_behind: is_each && form.access == Access::Vec4,
        })
    }

    /// Whether only numbers that f32 flushes can be wrong.
    fn is_exact_in_f32(self) -> bool {
        self.activation.entry().room.is_exact_in_f32
    }

    /// The files that it needs.
    pub(super) fn files(self, text: &mut Text, form: &Form) {
        let inputs = form.inputs.iter().map(|input| input.dtype);
        for dtype in inputs.chain(form.outputs.iter().map(|output| output.dtype)) {
            text.file(&format!("wide/{dtype}.wgsl"));
        }
        let name = self.activation.name();
        for (_, room) in ROOMS.iter().filter(|(known, _)| *known == name) {
            text.known(&format!("wide/{name}"), room);
        }
    }

    /// The test, on the value in f32, for an element that is to be evaluated again.
    fn doubt(self, element: &Element<'_>) -> String {
        let dtype = element.form.outputs[0].dtype;
        let room = self.activation.entry().room;
        let terms = match self.pass {
            Pass::Forward => room.wgsl_terms[0],
            _ => room.wgsl_terms[1],
        };
        let near = (!self.is_exact_in_f32()).then(|| format!("{dtype}_doubt(value, {terms})"));
        let dy = match self.pass {
            Pass::Forward => "0x3f80u",
            _ => "dy_bits",
        };
        let is_flat = room.is_flat;
        let lost =
            (dtype == DType::BF16).then(|| format!("bf16_is_lost(value, x_bits, {dy}, {is_flat})"));
        near.into_iter().chain(lost).collect::<Vec<_>>().join(" | ")
    }

    /// `fn element`, whose result has a bit above its 16 where it is in doubt; and `fn exactly`.
    pub(super) fn element(self, element: &Element<'_>, out: &mut String) {
        let (form, parameters) = (element.form, element.parameters());
        let dtype = form.outputs[0].dtype;
        let values = form.inputs.iter().map(|input| {
            let super::form::Input { name, dtype, .. } = input;
            format!("    let {name} = {dtype}_value({name}_bits);\n")
        });
        let values: String = values.collect();
        let mut names: Vec<&str> = form
            .inputs
            .iter()
            .map(|input| input.name.as_str())
            .collect();
        names.extend(element.has_scalars.then_some("args.scalars"));
        let (names, result) = (names.join(", "), element.result);
        let (nan, doubt) = (element.nan(), self.doubt(element));
        // Until it is settled, an element in the place of an input stays that.
        let kept = form.outputs[0].in_place.filter(|_| self.is_behind);
        let bits = format!("{dtype}_bits(value, nan)");
        let stored = match kept {
            Some(input) => format!("select({bits}, {}_bits, doubt)", form.inputs[input].name),
            None => bits,
        };
        _ = writeln!(
            out,
            "fn element({parameters}) -> u32 {{\n{values}    let value = chain_{result}({names});\n    let nan = {nan};\n    \
             let doubt = !nan & ({doubt});\n    return {stored} | select(0u, 0x10000u, doubt);\n}}\n"
        );
        let constants = self.activation.parameters().iter();
        let constants: String = constants
            .map(|name| format!(", w_of_f32(args.scalars.{})", scalar(0, name)))
            .collect();
        let function = self.activation.name();
        let wide = |name: &str| {
            let mut inputs = form.inputs.iter();
            let found = inputs.find(|input| input.name == name);
            let dtype = found.map_or(dtype, |input| input.dtype);
            format!("{dtype}_wide({name}_bits)")
        };
        let x = wide("x");
        let result = match self.pass {
            Pass::Forward => format!("wide_{function}({x}{constants})"),
            _ => format!("w_mul({}, wide_{function}_dx({x}{constants}))", wide("dy")),
        };
        _ = writeln!(
            out,
            "// The same by integers.\nfn exactly({parameters}) -> u32 {{\n    return {dtype}_of_wide({result});\n}}\n"
        );
    }

    /// `fn settle`, which evaluates one of a word's four elements again.
    pub(super) fn settle(element: &Element<'_>, out: &mut String) {
        let form = element.form;
        out.push_str(
            "// Evaluates an element of the i-th word again.\nfn settle(i: u32, lane: u32) {\n",
        );
        let mut names = Vec::new();
        for input in &form.inputs {
            let (name, source) = (&input.name, element.source(input));
            _ = writeln!(
                out,
                "    let w_{name} = {source}[{}];\n    let {name}_bits = (w_{name}[lane >> 1u] >> (16u * (lane & \
                 1u))) & 0xffffu;",
                place(form, name, At::Each, "i")
            );
            names.push(format!("{name}_bits"));
        }
        let output = &form.outputs[0];
        let (name, target) = (&output.name, element.target(output));
        _ = writeln!(
            out,
            "    let exact = exactly({});\n    let at = {};\n    let shift = 16u * (lane & 1u);\n    let kept = \
             {target}[at];\n    let changed = (kept & vec2(0xffff0000u >> shift)) | vec2(exact << shift);\n    {target}[at] = \
             select(kept, changed, vec2(0u, 1u) == vec2(lane >> 1u));\n}}\n",
            names.join(", "),
            place(form, name, At::Each, "i")
        );
    }

    /// Statements that evaluate those of four elements `f0` to `f3` again that are in doubt: `e0` to `e3`.
    pub(super) fn four(self, element: &Element<'_>, out: &mut String) {
        out.push_str(
            "    var e = vec4(f0, f1, f2, f3);\n    let doubts = e >> vec4(16u);\n    \
             var open = doubts.x | (doubts.y << 1u) | (doubts.z << 2u) | (doubts.w << 3u);\n",
        );
        if !self.is_behind {
            Self::beside(element, out);
        } else if !element.form.whole {
            // What is behind the operand's end is nobody's.
            out.push_str("    open &= (1u << min(args.len - 4u * i, 4u)) - 1u;\n");
        }
        for (lane, part) in ["x", "y", "z", "w"].into_iter().enumerate() {
            _ = writeln!(out, "    let e{lane} = e.{part} & 0xffffu;");
        }
    }

    /// The loop over those of a word's elements that are in doubt.
    fn beside(element: &Element<'_>, out: &mut String) {
        let mut body = String::from("            let lane = countTrailingZeros(open);\n");
        let lanes = [0, 1, 2, 3].map(|lane| element.lane_bits(lane));
        let mut names = Vec::new();
        for (index, input) in element.form.inputs.iter().enumerate() {
            let bits = lanes.each_ref().map(|lane| lane[index].as_str()).join(", ");
            _ = writeln!(
                body,
                "            let {}_bits = vec4({bits})[lane];",
                input.name
            );
            names.push(format!("{}_bits", input.name));
        }
        _ = writeln!(
            body,
            "            let exact = exactly({});\n            e = select(e, vec4(exact), vec4(0u, 1u, 2u, 3u) == vec4(lane));",
            names.join(", ")
        );
        Self::while_open(&body, out);
    }

    /// A loop that executes statements once for each bit of `open`, the lowest first, and drops it.
    fn while_open(body: &str, out: &mut String) {
        _ = writeln!(
            out,
            "    loop {{\n        if open != 0u {{\n{body}        }}\n        continuing {{\n            open &= open - 1u;\n            \
             break if open == 0u;\n        }}\n    }}"
        );
    }

    /// Statements that evaluate those of the elements `e` and `e + 1`, the two of `pair`, again that are in doubt: in one loop,
    /// since DX12's compilers put all of `again` in the place of each call, and processors go through a loop that no lane
    /// needs.
    pub(super) fn pair(out: &mut String) {
        out.push_str("    var open = (pair.x >> 16u) | ((pair.y >> 16u) << 1u);\n");
        let body = "            let half = countTrailingZeros(open);
            pair = select(pair, vec2(again(e + half)), vec2(0u, 1u) == vec2(half));
";
        Self::while_open(body, out);
    }
}

impl Element<'_> {
    /// Whether elements in doubt are settled behind all words, and `word` says which those are.
    pub(super) fn is_settled(&self) -> bool {
        self.exact.is_some_and(|exact| exact.is_behind)
    }
}
