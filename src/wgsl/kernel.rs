//! Whole kernels: files, the chain's function, one element, and a sweep.

use super::chain;
use super::element::Element;
use super::exact::Exact;
use super::files::Text;
use super::form::{Access, Args, At, Body, Form, RowArgs, Strips, Sweep, SweepArgs, fields};
use super::rows::{self, RowText};
use super::slots::slots;
use crate::tensor::dtype::DType;
use std::fmt::Write;

/// A chain's kernel, or a copy's.
pub(crate) fn kernel(body: Body<'_>, form: &Form) -> String {
    if let Sweep::Whole(strips) = form.sweep {
        return over_rows(body, form, strips);
    }
    let gradients = form.gradients();
    let code = body.code(&gradients);
    let draws = code.as_ref().map_or_else(Vec::new, |code| code.draws());
    let mut text = Text::default();
    let mut has_scalars = false;
    if let Some(code) = &code {
        has_scalars = chain_function(&mut text, body, form, code, &draws);
    }
    let exact = body
        .chain()
        .and_then(|chain| Exact::of(chain, body.pass(), form));
    if let Some(exact) = exact {
        exact.files(&mut text, form);
    }
    let element = Element {
        form,
        chain: body.chain(),
        result: match body.pass().outputs() {
            [result] => result,
            _ => chain::SECOND,
        },
        draws: &draws,
        has_scalars,
        exact,
    };
    let sweeps = form.sweep != Sweep::Each;
    let args = Args {
        random: (!draws.is_empty()).then_some([0; 4]),
        sweep: sweeps.then(SweepArgs::default),
        ..Args::default()
    };
    text.push(&arguments(form, &args, has_scalars));
    slots(&mut text, form, exact.is_some());
    let mut own = String::new();
    element.write(&mut own);
    let width = form.access.lanes();
    _ = writeln!(own, "\nconst WIDTH: u32 = {width}u; // Elements in a word.");
    if let Sweep::Columns(words) = form.sweep {
        _ = writeln!(
            own,
            "const WORDS: u32 = {words}u; // Words of a sample that an invocation has."
        );
    }
    text.push(&own);
    text.file(entry_point(form, &element));
    text.finish(&[])
}

/// The file whose entry point goes through the elements.
fn entry_point(form: &Form, element: &Element<'_>) -> &'static str {
    match form.sweep {
        Sweep::Each if element.is_settled() => "sweep/each_settled.wgsl",
        Sweep::Each => "sweep/each.wgsl",
        Sweep::Rows if form.sums.is_empty() => "sweep/rows.wgsl",
        Sweep::Rows => "sweep/row_sums.wgsl",
        Sweep::Columns(_) if form.sums.is_empty() => "sweep/columns.wgsl",
        Sweep::Columns(_) => "sweep/column_sums.wgsl",
        Sweep::Whole(_) => unreachable!("rows have a kernel of their own"),
    }
}

/// `struct Args`, and the bindings.
fn arguments(form: &Form, args: &Args, has_scalars: bool) -> String {
    let mut own = String::from("struct Args {\n");
    for (name, _) in fields(form, args) {
        _ = writeln!(own, "    {name}: u32,");
    }
    if has_scalars {
        own.push_str("    @align(16) scalars: Scalars,\n");
    }
    own.push_str("}\n\n");
    bindings(&mut own, form);
    own
}

/// The kernel of a chain with a step over whole rows.
fn over_rows(body: Body<'_>, form: &Form, strips: Strips) -> String {
    let mut text = Text::default();
    let Some(code) = body.rows(&form.gradients()) else {
        unreachable!("a chain without a step over rows");
    };
    let has_scalars = rows::functions(&mut text, &code, form);
    let args = Args {
        random: (!code.draws().is_empty()).then_some([0; 4]),
        rows: Some(RowArgs::default()),
        ..Args::default()
    };
    text.push(&arguments(form, &args, has_scalars));
    slots(&mut text, form, false);
    let element = RowText {
        form,
        code: &code,
        has_scalars,
    };
    let mut own = String::new();
    element.write(&mut own);
    text.file("math/divide.wgsl");
    text.file("rows/added.wgsl");
    text.push(&own);
    rows::sweep(&mut text, &code, strips);
    text.finish(&[])
}

/// The chain's function with what it uses. Says whether the chain has constants.
fn chain_function(
    text: &mut Text,
    body: Body<'_>,
    form: &Form,
    code: &chain::ChainCode<'_>,
    draws: &[usize],
) -> bool {
    let Some(chain) = body.chain() else {
        return false;
    };
    let inputs = form.inputs.iter().map(|i| i.dtype);
    for dtype in inputs.chain(form.outputs.iter().map(|o| o.dtype)) {
        text.file(&format!("io/{dtype}.wgsl"));
    }
    if !draws.is_empty() {
        text.file("slots/draw.wgsl");
    }
    chain::rooms(text, chain);
    let has_scalars = chain::scalars(text, chain);
    // Those that are bound, which another dispatch of the same binding may need more of.
    let operands = form.inputs.iter();
    let operands = operands.filter_map(|input| input.name.strip_prefix("arg_"));
    let operands: Vec<_> = operands.map(str::to_owned).collect();
    code.function(text, &operands, draws, has_scalars);
    has_scalars
}

/// The storage buffers in their order, and the uniform behind them.
fn bindings(out: &mut String, form: &Form) {
    let mut names: Vec<(&str, String)> = Vec::new();
    // An input is reached in words only where its elements lie as x's do.
    let word = |name: &str, at: At, dtype: DType| match (form.access, at) {
        _ if form.is_atomic(name) => "atomic<u32>".to_owned(),
        (Access::Vec4, At::Each | At::Rows | At::ChannelWords) => {
            format!("vec{}<u32>", dtype.size())
        }
        (Access::Vec4, At::Even | At::Odd) => "vec4<u32>".to_owned(),
        _ => "u32".to_owned(),
    };
    for input in form.inputs.iter().filter(|input| input.beside.is_none()) {
        names.push((&input.name, word(&input.name, input.at, input.dtype)));
    }
    for output in form.own_outputs() {
        names.push((&output.name, word(&output.name, output.at, output.dtype)));
    }
    if !form.sums.is_empty() {
        names.push(("partials", "u32".to_owned()));
    }
    let count = names.len();
    for (binding, ((name, element), written)) in names.into_iter().zip(form.written()).enumerate() {
        let mode = if written || form.shared {
            "read_write"
        } else {
            "read"
        };
        _ = writeln!(
            out,
            "@group(0) @binding({binding}) var<storage, {mode}> {name}: array<{element}>;"
        );
    }
    _ = writeln!(
        out,
        "@group(0) @binding({count}) var<uniform> args: Args;\n"
    );
}

/// The kernel that adds up partial sums: a workgroup for each 32 bits of each gradient, of the dtypes given.
pub(crate) fn finish(dtypes: &[DType]) -> String {
    let mut text = Text::default();
    for dtype in dtypes {
        text.file(&format!("io/{dtype}.wgsl"));
    }
    text.file("sweep/finish.wgsl");
    let count = dtypes.len();
    let (mut fields, mut outputs, mut sums, mut puts) = Default::default();
    for (index, dtype) in dtypes.iter().enumerate() {
        finish_gradient(
            index,
            *dtype,
            [&mut fields, &mut outputs, &mut sums, &mut puts],
        );
    }
    let narrow = dtypes.iter().any(|dtype| dtype.size() < 4);
    text.push(&format!(
        "struct Args {{
    row: u32,
{fields}}}

@group(0) @binding(0) var<storage, read> partials: array<u32>;
{outputs}@group(0) @binding({}) var<uniform> args: Args;

const NARROW: bool = {narrow}; // Whether a gradient has 16 bits.

fn sum_of(gradient: u32) -> Sum {{
    var s = args.sum_0;
{sums}    return s;
}}

fn put(gradient: u32, at: u32, sum: Terms) {{
{puts}}}
",
        count + 1
    ));
    text.finish(&[])
}

/// What one gradient adds to the text: a field of `struct Args`, its buffer, how its [`Sum`] is found, and how it is
/// put.
fn finish_gradient(index: usize, dtype: DType, [fields, outputs, sums, puts]: [&mut String; 4]) {
    _ = writeln!(fields, "    @align(16) sum_{index}: Sum,");
    _ = writeln!(
        outputs,
        "@group(0) @binding({}) var<storage, read_write> d_{index}: array<u32>;",
        index + 1
    );
    if index > 0 {
        _ = writeln!(
            sums,
            "    if gradient == {index}u {{\n        s = args.sum_{index};\n    }}"
        );
    }
    let bits = format!("{dtype}_bits(sum.sum, sum.nan > 0u)");
    let put = if dtype.size() == 4 {
        format!("d_{index}[at] = {bits};")
    } else {
        format!(
            "let shift = 16u * (at & 1u);
        d_{index}[at >> 1u] = (d_{index}[at >> 1u] & (0xffff0000u >> shift)) | ({bits} << shift);"
        )
    };
    _ = writeln!(
        puts,
        "    if gradient == {index}u {{\n        {put}\n    }}"
    );
}
