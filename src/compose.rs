//! Composes a chain's kernel: the rooms of its steps, what they use, and the glue between.
//!
//! The shader files are ordinary WGSL; two kinds of comment do the composing. `//#use math/exp.wgsl`
//! pulls a file in once, and a line that ends in `//#stub` stands in for it, so that the file also
//! validates alone; such lines are dropped here.

use crate::chain::Step;
use crate::{Chain, DType, DTypes, Pass};
use std::fmt::Write;

/// How elements are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Four elements at a time, all operands at places that are multiples of four elements.
    Vec4,
    /// Elements one by one, at any place.
    Scalar,
}

/// What a kernel's text depends on beside its body: the operands' places and dtypes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) access: Access,
    /// Binds every operand read_write, as operands in one buffer need it.
    pub(crate) shared: bool,
    /// The input, by index, that the output takes the place of.
    pub(crate) in_place: Option<usize>,
    /// In the order of the pass's operands.
    pub(crate) dtypes: Vec<DType>,
    /// Words per invocation.
    pub(crate) words: u32,
}

impl Form {
    /// Whole words, operands apart from each other, one word an invocation.
    pub(crate) fn plain(pass: Pass, dtypes: DTypes) -> Form {
        let dtypes = dtypes.of(pass);
        Form {
            access: Access::Vec4,
            shared: false,
            in_place: None,
            dtypes,
            words: 1,
        }
    }
}

/// What a kernel computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Body<'a> {
    /// A chain's pass.
    Chain(&'a Chain, Pass),
    /// The pass's reads and writes with no arithmetic to speak of: the roof for its speed.
    Copy(Pass),
}

impl Body<'_> {
    pub(crate) fn pass(self) -> Pass {
        match self {
            Body::Chain(_, pass) | Body::Copy(pass) => pass,
        }
    }
}

/// The files a `//#use` can name.
const FILES: &[(&str, &str)] = &[
    ("io/bf16.wgsl", include_str!("../shaders/io/bf16.wgsl")),
    ("io/f16.wgsl", include_str!("../shaders/io/f16.wgsl")),
    ("io/f32.wgsl", include_str!("../shaders/io/f32.wgsl")),
    ("math/acon.wgsl", include_str!("../shaders/math/acon.wgsl")),
    ("math/exp.wgsl", include_str!("../shaders/math/exp.wgsl")),
    (
        "math/expm1.wgsl",
        include_str!("../shaders/math/expm1.wgsl"),
    ),
    (
        "math/ldexp.wgsl",
        include_str!("../shaders/math/ldexp.wgsl"),
    ),
    (
        "math/log1p.wgsl",
        include_str!("../shaders/math/log1p.wgsl"),
    ),
    (
        "math/normal.wgsl",
        include_str!("../shaders/math/normal.wgsl"),
    ),
    (
        "math/sigmoid.wgsl",
        include_str!("../shaders/math/sigmoid.wgsl"),
    ),
];

/// The name under which a step's parameter stands in `struct Scalars`.
fn scalar(index: usize, parameter: &str) -> String {
    format!("s{}_{parameter}", index + 1)
}

/// Text under construction, and the files that are in it.
#[derive(Default)]
struct Module {
    text: String,
    files: Vec<&'static str>,
}

impl Module {
    fn file(&mut self, name: &str) {
        let (name, text) = FILES
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| {
                unreachable!("a shader uses {name}, which is not in compose::FILES")
            });
        if !self.files.contains(name) {
            self.files.push(name);
            self.append(text);
        }
    }

    /// Appends a file's text behind the files that it uses.
    fn append(&mut self, text: &str) {
        let uses = text.lines().filter_map(|line| line.strip_prefix("//#use "));
        uses.for_each(|name| self.file(name.trim()));
        let kept =
            |line: &&str| !line.starts_with("//#use ") && !line.trim_end().ends_with("//#stub");
        for line in text.lines().filter(kept) {
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.text.push('\n');
    }

    /// The rooms of a chain's activations, each once.
    fn rooms(&mut self, chain: &Chain) {
        for step in chain.steps() {
            if let Step::Activation(activation) = step {
                let entry = activation.entry();
                if !self.files.contains(&entry.name) {
                    self.files.push(entry.name);
                    self.append(entry.wgsl);
                }
            }
        }
    }
}

/// `struct Scalars`, the chain's values by name, if it has any.
fn scalars(out: &mut String, chain: &Chain) -> bool {
    let steps = chain.steps().iter().enumerate();
    let fields: Vec<_> = steps
        .flat_map(|(i, s)| s.parameters().iter().map(move |p| scalar(i, p)))
        .collect();
    if !fields.is_empty() {
        out.push_str("struct Scalars {\n");
        fields
            .iter()
            .for_each(|field| _ = writeln!(out, "    {field}: f32,"));
        out.push_str("}\n\n");
    }
    !fields.is_empty()
}

/// The chain's function of one element, `chain_y` or `chain_dx`.
fn chain_function(out: &mut String, chain: &Chain, pass: Pass, has_scalars: bool) {
    let steps = || chain.steps().iter().enumerate();
    let scalars = if has_scalars { ", c: Scalars" } else { "" };
    let arguments = |index: usize, step: &Step| {
        let names = step.parameters().iter();
        names
            .map(|p| format!(", c.{}", scalar(index, p)))
            .collect::<String>()
    };
    let value = |index: usize| {
        if index == 0 {
            "x".to_owned()
        } else {
            format!("v{index}")
        }
    };
    let forward = |out: &mut String, upto: usize| {
        for (index, step) in steps().take(upto) {
            let (from, to) = (value(index), value(index + 1));
            _ = match step {
                Step::Scale(_) => writeln!(
                    out,
                    "    let {to} = {from} * c.{};",
                    scalar(index, "factor")
                ),
                Step::Activation(a) => {
                    writeln!(
                        out,
                        "    let {to} = act_{}({from}{});",
                        a.name(),
                        arguments(index, step)
                    )
                }
            };
        }
    };
    match pass {
        Pass::Forward => {
            _ = writeln!(out, "// {chain}\nfn chain_y(x: f32{scalars}) -> f32 {{");
            forward(out, chain.steps().len());
            _ = writeln!(out, "    return {};\n}}\n", value(chain.steps().len()));
        }
        Pass::Backward => {
            _ = writeln!(
                out,
                "// backward of {chain}\nfn chain_dx(x: f32, dy: f32{scalars}) -> f32 {{"
            );
            // Only derivatives need the values, and only activations have derivatives that depend on them.
            let last = chain
                .steps()
                .iter()
                .rposition(|step| matches!(step, Step::Activation(_)));
            forward(out, last.unwrap_or(0));
            let mut gradient = "dy".to_owned();
            for (index, step) in steps().collect::<Vec<_>>().into_iter().rev() {
                let slope = match step {
                    Step::Scale(_) => format!("c.{}", scalar(index, "factor")),
                    Step::Activation(a) => {
                        format!(
                            "act_{}_dx({}{})",
                            a.name(),
                            value(index),
                            arguments(index, step)
                        )
                    }
                };
                _ = writeln!(out, "    let g{index} = {gradient} * {slope};");
                gradient = format!("g{index}");
            }
            _ = writeln!(out, "    return {gradient};\n}}\n");
        }
    }
}

/// The chain as functions for somebody's own kernel: `<prefix>_y(x)` and `<prefix>_dx(x, dy)`, both with
/// `<prefix>_Scalars` behind if the chain has values, and all that they use under names with the prefix.
pub(crate) fn functions(chain: &Chain, prefix: &str) -> String {
    let mut module = Module::default();
    module.rooms(chain);
    let mut out = module.text;
    let has_scalars = scalars(&mut out, chain);
    Pass::ALL
        .into_iter()
        .for_each(|pass| chain_function(&mut out, chain, pass, has_scalars));
    prefixed(&out, prefix)
}

/// Puts a prefix before every name that WGSL text declares at module scope.
fn prefixed(text: &str, prefix: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let declared = |line: &str| {
        let rest = ["fn ", "const ", "struct "]
            .iter()
            .find_map(|word| line.strip_prefix(word))?;
        rest.split(|c| !is_part(c)).next().map(str::to_owned)
    };
    let globals: Vec<String> = text.lines().filter_map(declared).collect();
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        let (code, comment) = line.split_at(line.find("//").unwrap_or(line.len()));
        for token in code.split_inclusive(|c| !is_part(c)) {
            let name = token.trim_end_matches(|c| !is_part(c));
            // A field may have a global's name.
            if globals.iter().any(|global| global == name) && !out.ends_with('.') {
                out.push_str(prefix);
                out.push('_');
                out.push_str(name.strip_prefix("chain_").unwrap_or(name));
                out.push_str(&token[name.len()..]);
            } else {
                out.push_str(token);
            }
        }
        out.push_str(comment);
        out.push('\n');
    }
    out
}

/// The whole kernel.
pub(crate) fn kernel(body: Body<'_>, form: &Form) -> String {
    let pass = body.pass();
    let names = pass.operands();
    let last = names.len() - 1;
    let operands = Operands {
        inputs: names
            .iter()
            .copied()
            .zip(form.dtypes.iter().copied())
            .take(last)
            .collect(),
        output: names[last],
        target: form.in_place.map_or(names[last], |index| names[index]),
        dtype: form.dtypes[last],
    };
    let Operands {
        inputs,
        output,
        target,
        dtype,
    } = &operands;

    let mut module = Module::default();
    if let Body::Chain(chain, _) = body {
        form.dtypes
            .iter()
            .for_each(|dtype| module.file(&format!("io/{dtype}.wgsl")));
        module.rooms(chain);
    }
    let mut out = module.text;
    let has_scalars = match body {
        Body::Chain(chain, pass) => {
            let has_scalars = scalars(&mut out, chain);
            chain_function(&mut out, chain, pass, has_scalars);
            has_scalars
        }
        Body::Copy(_) => false,
    };

    // The places of the operands and the chain's values. Offsets are in words or in elements, as the
    // access has it, len is in elements; row is the number of workgroups in a row of the grid.
    out.push_str(
        "override WORKGROUP: u32 = 256u;\n\nstruct Args {\n    len: u32,\n    row: u32,\n",
    );
    names
        .iter()
        .for_each(|name| _ = writeln!(out, "    {name}: u32,"));
    if has_scalars {
        out.push_str("    @align(16) scalars: Scalars,\n");
    }
    out.push_str("}\n\n@group(0) @binding(0) var<uniform> args: Args;\n");
    let bound = names
        .iter()
        .zip(&form.dtypes)
        .take(if form.in_place.is_some() {
            last
        } else {
            last + 1
        });
    for (index, (name, dtype)) in bound.enumerate() {
        let mode = if form.shared || name == target {
            "read_write"
        } else {
            "read"
        };
        let word = match form.access {
            Access::Vec4 => format!("vec{}<u32>", dtype.size()),
            Access::Scalar => "u32".into(),
        };
        let binding = index + 1;
        _ = writeln!(
            out,
            "@group(0) @binding({binding}) var<storage, {mode}> {name}: array<{word}>;"
        );
    }

    // The function of one element, from bits to bits.
    let join = |text: &dyn Fn(&str, DType) -> String, separator: &str| {
        let texts: Vec<_> = inputs
            .iter()
            .map(|(name, dtype)| text(name, *dtype))
            .collect();
        texts.join(separator)
    };
    let result = match body {
        Body::Copy(_) => join(&|name, _| format!("{name}_bits"), " ^ "),
        Body::Chain(..) => {
            let values = join(&|name, dtype| format!("{dtype}_value({name}_bits)"), ", ");
            let nan = join(
                &|name, dtype| format!("{dtype}_is_nan({name}_bits)"),
                " || ",
            );
            let scalars = if has_scalars { ", args.scalars" } else { "" };
            format!("{dtype}_bits(chain_{output}({values}{scalars}), {nan})")
        }
    };
    let parameters = join(&|name, _| format!("{name}_bits: u32"), ", ");
    _ = writeln!(
        out,
        "\nfn element({parameters}) -> u32 {{\n    return {result};\n}}\n"
    );
    out.push_str("fn word(i: u32) {\n");
    match form.access {
        Access::Vec4 => operands.vec4_word(&mut out),
        Access::Scalar => operands.scalar_word(&mut out),
    }
    out.push_str("}\n\n@compute @workgroup_size(WORKGROUP)\nfn main(\n");
    out.push_str("    @builtin(workgroup_id) group: vec3<u32>,\n");
    out.push_str("    @builtin(local_invocation_index) lane: u32,\n) {\n");
    let words = form.words;
    _ = writeln!(
        out,
        "    let first = (group.y * args.row + group.x) * (WORKGROUP * {words}u) + lane;"
    );
    for index in 0..words {
        let at = if index == 0 {
            "first".into()
        } else {
            format!("first + {index}u * WORKGROUP")
        };
        _ = writeln!(out, "    word({at});");
    }
    out.push_str("}\n");
    out
}

/// The operands of a kernel, by their names in WGSL.
struct Operands<'a> {
    inputs: Vec<(&'a str, DType)>,
    output: &'a str,
    /// The variable that the output is stored through: its own, or that of the input whose place it takes.
    target: &'a str,
    dtype: DType,
}

impl Operands<'_> {
    /// The call of `element` with the bits that `bits` gives for each input.
    fn element(&self, bits: impl Fn(&str, DType) -> String) -> String {
        let bits: Vec<_> = self
            .inputs
            .iter()
            .map(|(name, dtype)| bits(name, *dtype))
            .collect();
        format!("element({})", bits.join(", "))
    }

    /// The body of `fn word(i)` for four elements at a time.
    fn vec4_word(&self, out: &mut String) {
        out.push_str("    if 4u * i >= args.len {\n        return;\n    }\n");
        for (name, _) in &self.inputs {
            _ = writeln!(out, "    let w_{name} = {name}[args.{name} + i];");
        }
        let [a, b, c, d] = [0, 1, 2, 3].map(|lane| {
            self.element(|name, dtype| match (dtype.size(), lane) {
                (4, _) => format!("w_{name}[{lane}]"),
                (_, 0 | 2) => format!("w_{name}[{}] & 0xffffu", lane / 2),
                _ => format!("w_{name}[{}] >> 16u", lane / 2),
            })
        });
        let at = format!("{}[args.{} + i]", self.target, self.output);
        // The last word may reach behind the operand: there only its own elements are written, and an
        // element's neighbour in the same 32 bits is written back as it was.
        let (result, rest) = if self.dtype.size() == 4 {
            (
                format!("vec4({a}, {b}, {c}, {d})"),
                format!(
                    "    {at}.x = result.x;
    if left > 1u {{
        {at}.y = result.y;
    }}
    if left > 2u {{
        {at}.z = result.z;
    }}"
                ),
            )
        } else {
            (
                format!("vec2({a} | ({b} << 16u), {c} | ({d} << 16u))"),
                format!(
                    "    if left == 1u {{
        {at}.x = ({at}.x & 0xffff0000u) | (result.x & 0xffffu);
        return;
    }}
    {at}.x = result.x;
    if left == 3u {{
        {at}.y = ({at}.y & 0xffff0000u) | (result.y & 0xffffu);
    }}"
                ),
            )
        };
        _ = writeln!(
            out,
            "    let result = {result};
    let left = args.len - 4u * i;
    if left >= 4u {{
        {at} = result;
        return;
    }}
{rest}"
        );
    }

    /// The body of `fn word(i)` for single elements: the element of a 32-bit result, or the two that share
    /// the 32 bits of a smaller one, so that no two invocations write to the same place.
    fn scalar_word(&self, out: &mut String) {
        let Operands { output, target, .. } = self;
        let element = |e: &str| {
            self.element(|name, dtype| match dtype.size() {
                4 => format!("{name}[args.{name} + {e}]"),
                _ => {
                    let at = format!("(args.{name} + {e})");
                    format!("({name}[{at} >> 1u] >> (16u * ({at} & 1u))) & 0xffffu")
                }
            })
        };
        if self.dtype.size() == 4 {
            let result = element("i");
            _ = writeln!(
                out,
                "    if i >= args.len {{
        return;
    }}
    {target}[args.{output} + i] = {result};"
            );
            return;
        }
        // The first element is the upper half of its word where the offset is odd: e wraps below zero then.
        let (low, high) = (element("e"), element("(e + 1u)"));
        _ = writeln!(
            out,
            "    let e = 2u * i - (args.{output} & 1u);
    let low = e < args.len;
    let high = e + 1u < args.len;
    if !low && !high {{
        return;
    }}
    let at = (args.{output} >> 1u) + i;
    var bits = {target}[at];
    if low {{
        bits = (bits & 0xffff0000u) | {low};
    }}
    if high {{
        bits = (bits & 0xffffu) | ({high} << 16u);
    }}
    {target}[at] = bits;"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;
    use naga::ShaderStage::Compute;
    use naga::back::{glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
    use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};

    /// Translates a kernel to every backend's language, with the options that wgpu uses there.
    fn translate(source: &str) {
        let module = naga::front::wgsl::parse_str(source)
            .unwrap_or_else(|e| panic!("{}\n{source}", e.emit_to_string(source)));
        let flags = naga::valid::ValidationFlags::all();
        let info = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}\n{source}", e.emit_to_string(source)));
        let constants = [("WORKGROUP".to_owned(), 64.0)].into_iter().collect();
        let (module, info) =
            process_overrides(&module, &info, Some((Compute, "main")), &constants).unwrap();
        let entry_point = "main".to_owned();

        for buffer in [BoundsCheckPolicy::Restrict, BoundsCheckPolicy::Unchecked] {
            let bounds_check_policies = BoundsCheckPolicies {
                index: BoundsCheckPolicy::Restrict,
                buffer,
                ..Default::default()
            };
            for lang_version in [(1, 0), (1, 3), (1, 6)] {
                let options = spv::Options {
                    lang_version,
                    bounds_check_policies,
                    ..Default::default()
                };
                let pipeline = spv::PipelineOptions {
                    shader_stage: Compute,
                    entry_point: entry_point.clone(),
                };
                spv::write_vec(&module, &info, &options, Some(&pipeline)).unwrap();
            }
            for lang_version in [(2, 4), (3, 0)] {
                let resource = |mutable| msl::BindTarget {
                    buffer: Some(0),
                    mutable,
                    ..Default::default()
                };
                let resources = (0..4).map(|binding| {
                    let at = naga::ResourceBinding { group: 0, binding };
                    (at, resource(binding > 0))
                });
                let entry_resources = msl::EntryPointResources {
                    resources: resources.collect(),
                    sizes_buffer: Some(8),
                    ..Default::default()
                };
                let options = msl::Options {
                    lang_version,
                    per_entry_point_map: [(entry_point.clone(), entry_resources)]
                        .into_iter()
                        .collect(),
                    bounds_check_policies,
                    fake_missing_bindings: false,
                    ..Default::default()
                };
                let pipeline = msl::PipelineOptions {
                    entry_point: Some((Compute, entry_point.clone())),
                    ..Default::default()
                };
                msl::write_string(&module, &info, &options, &pipeline).unwrap();
            }
        }
        for shader_model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_2] {
            let options = hlsl::Options {
                shader_model,
                ..Default::default()
            };
            let pipeline = hlsl::PipelineOptions {
                entry_point: Some((Compute, entry_point.clone())),
            };
            let mut text = String::new();
            hlsl::Writer::new(&mut text, &options, &pipeline)
                .write(&module, &info, None)
                .unwrap();
        }
        let options = glsl::Options {
            version: glsl::Version::Embedded {
                version: 310,
                is_webgl: false,
            },
            ..Default::default()
        };
        let pipeline = glsl::PipelineOptions {
            shader_stage: Compute,
            entry_point,
            multiview: None,
        };
        let mut text = String::new();
        let policies = BoundsCheckPolicies::default();
        glsl::Writer::new(&mut text, &module, &info, &options, &pipeline, policies)
            .unwrap()
            .write()
            .unwrap();
    }

    /// What browsers say to a kernel, where tint is installed.
    fn tint(source: &str) {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let tint = Command::new("tint")
            .args(["--input-format", "wgsl", "--format", "wgsl", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut tint) = tint else { return };
        tint.stdin
            .take()
            .unwrap()
            .write_all(source.as_bytes())
            .unwrap();
        let output = tint.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}\n{source}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn every_form(body: Body<'_>) {
        let pass = body.pass();
        let plain = Form::plain(pass, DType::F32.into());
        let mixed = DTypes {
            x: DType::F16,
            y: DType::F32,
            dy: DType::BF16,
            dx: DType::F16,
        };
        let mut forms = vec![Form {
            words: 3,
            ..plain.clone()
        }];
        for access in [Access::Vec4, Access::Scalar] {
            let dtypes = DType::ALL
                .iter()
                .map(|dtype| DTypes::from(*dtype))
                .chain([mixed]);
            forms.extend(dtypes.map(|dtypes| Form {
                access,
                ..Form::plain(pass, dtypes)
            }));
            forms.push(Form {
                access,
                shared: true,
                ..plain.clone()
            });
            forms.push(Form {
                access,
                in_place: Some(0),
                ..Form::plain(pass, DType::BF16.into())
            });
        }
        for form in forms {
            let source = kernel(body, &form);
            translate(&source);
            tint(&source);
        }
    }

    #[test]
    fn every_activation_translates_in_every_form() {
        for activation in Activation::ALL {
            let chain = Chain::from(*activation);
            Pass::ALL
                .into_iter()
                .for_each(|pass| every_form(Body::Chain(&chain, pass)));
        }
    }

    #[test]
    fn a_chain_of_everything_and_the_copies_translate() {
        let start = Chain::new().scale(2.0);
        let chain = Activation::ALL
            .iter()
            .fold(start, |chain, a| chain.act(*a).scale(0.5));
        for pass in Pass::ALL {
            every_form(Body::Chain(&chain, pass));
            every_form(Body::Chain(&Chain::new().scale(3.0), pass));
            every_form(Body::Copy(pass));
        }
    }

    #[test]
    fn values_are_not_in_the_text() {
        let text = |factor| {
            let chain = Chain::new().scale(factor).act(Activation::Silu);
            let text = kernel(
                Body::Chain(&chain, Pass::Forward),
                &Form::plain(Pass::Forward, DType::F32.into()),
            );
            // The comment that names the chain is for the reader.
            text.lines()
                .filter(|l| !l.starts_with("// "))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(text(2.0), text(-0.125));
    }

    /// Functions of two chains stand in one module beside names like theirs, and are complete.
    #[test]
    fn functions_clash_with_nothing() {
        let everything = Activation::ALL
            .iter()
            .fold(Chain::new(), |chain, a| chain.act(*a).scale(2.0));
        let plain = Chain::from(Activation::Gelu);
        let source = functions(&everything, "all")
            + &functions(&plain, "own_gelu")
            + "struct Exp { e: f32 }
            fn m_exp(x: f32) -> f32 { return x; }
            fn chain_y(x: f32, c: all_Scalars) -> f32 {
                return own_gelu_y(x) + own_gelu_dx(x, 1.0) + all_y(x, c) + all_dx(x, m_exp(x), c);
            }";
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|e| panic!("{}", e.emit_to_string(&source)));
        let flags = naga::valid::ValidationFlags::all();
        naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
            .validate(&module)
            .unwrap();
        let theirs = ["Exp", "m_exp", "chain_y"];
        for (_, function) in module.functions.iter() {
            let name = function.name.as_deref().unwrap();
            let ours = name.starts_with("all_") || name.starts_with("own_gelu_");
            assert!(ours || theirs.contains(&name), "{name}");
        }
        assert!(!source.contains("//#"));
    }

    #[test]
    fn each_file_is_in_a_kernel_once() {
        let chain: Chain = "mish | silu | mish | sigmoid".parse().unwrap();
        let text = kernel(
            Body::Chain(&chain, Pass::Forward),
            &Form::plain(Pass::Forward, DType::F32.into()),
        );
        for function in [
            "fn m_exp(",
            "fn act_mish(",
            "fn act_silu(",
            "fn m_times_sigmoid(",
        ] {
            assert_eq!(text.matches(function).count(), 1, "{function}");
        }
        assert!(!text.contains("//#"));
    }
}
