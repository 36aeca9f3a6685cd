//! Results of 16 bits that are the numbers nearest to what they should be.
//!
//! f32 has digits enough for nearly all of them. What it makes of an element is looked at before it is rounded: where it is
//! so near to the middle between two numbers that its error may decide (`f16_doubt` in shaders/wide/f16.wgsl), or may have
//! been flushed, the element is evaluated once more, with 64 digits, by integers (shaders/wide). That is one element in 500.
//! Software adapters execute both sides of an `if`, and the body of a loop at least once; so it is done once for many words
//! (shaders/sweep/each_settled.wgsl), wherever operands lie in words, one element behind the other.

use super::chain::scalar;
use super::element::{Element, vec4};
use super::files::Text;
use super::form::{Access, At, Body, Form, Input, Sweep};
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
            let Input { name, dtype, .. } = input;
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

    /// Statements of a word whose elements may be in doubt: those are evaluated again, or, behind all words, `open` says which
    /// they are.
    pub(super) fn word(self, element: &Element<'_>, out: &mut String) {
        let form = element.form;
        element.load(out);
        let found = vec4(|lane| format!("element({})", element.lane(lane)));
        let put = format!("put_{}", form.outputs[0].name);
        if !self.is_behind {
            _ = writeln!(out, "    {put}(i, settled(i, {found}) & vec4(0xffffu));");
            return;
        }
        let open = match form.whole {
            true => "doubts(e)",
            false => "doubts_before_end(i, e)",
        };
        // What is in doubt is asked before the store: behind it, relu of bf16 takes 1.12 times as long on lavapipe.
        _ = writeln!(
            out,
            "    let e = {found};\n    let open = {open};\n    {put}(i, e & vec4(0xffffu));\n    return open;"
        );
    }

    /// `fn again`, which evaluates an element of the i-th word once more.
    pub(super) fn again(self, element: &Element<'_>, out: &mut String) {
        _ = writeln!(out, "fn again(i: u32, lane: u32) -> u32 {{");
        if !self.is_behind {
            element.load(out);
        }
        let bits = |input: &Input| match self.is_behind {
            true => format!("one_of_{}(i, lane)", input.name),
            false => format!("w_{}[lane]", input.name),
        };
        let bits: Vec<_> = element.form.inputs.iter().map(bits).collect();
        _ = writeln!(out, "    return exactly({});\n}}\n", bits.join(", "));
    }
}

impl Element<'_> {
    /// Whether elements in doubt are settled behind all words, and `word` says which those are.
    pub(super) fn is_settled(&self) -> bool {
        self.exact.is_some_and(|exact| exact.is_behind)
    }
}
