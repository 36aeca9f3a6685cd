//! Composes a chain's kernel: the rooms of its steps, what they use, and the glue between.
//!
//! The shader files are ordinary WGSL; two kinds of comment do the composing. `//#use math/exp.wgsl`
//! pulls a file in once, and a line that ends in `//#stub` stands in for it, so that the file also
//! validates alone; such lines are dropped here.

use crate::chain::Step;
use crate::{Chain, Pass};
use std::fmt::Write;

/// How elements are reached: a property of the operands' places, not of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Four elements a word, all operands at 16-byte places.
    Vec4,
    /// One element a word, at any element's place.
    Scalar,
}

impl Access {
    /// Elements in a word.
    pub(crate) const fn lanes(self) -> u64 {
        match self {
            Access::Vec4 => 4,
            Access::Scalar => 1,
        }
    }

    fn file(self) -> &'static str {
        match self {
            Access::Vec4 => "io/f32_vec4.wgsl",
            Access::Scalar => "io/f32_scalar.wgsl",
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
    (
        "io/f32_scalar.wgsl",
        include_str!("../shaders/io/f32_scalar.wgsl"),
    ),
    (
        "io/f32_vec4.wgsl",
        include_str!("../shaders/io/f32_vec4.wgsl"),
    ),
    ("math/exp.wgsl", include_str!("../shaders/math/exp.wgsl")),
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

/// `struct Scalars` and the chain's function of one element, `chain_y` or `chain_dx`.
fn chain_function(out: &mut String, chain: &Chain, pass: Pass) {
    let steps = || chain.steps().iter().enumerate();
    let mut fields = steps()
        .flat_map(|(i, s)| s.parameters().iter().map(move |p| scalar(i, p)))
        .peekable();
    let scalars = if fields.peek().is_some() {
        out.push_str("struct Scalars {\n");
        fields.for_each(|field| _ = writeln!(out, "    {field}: f32,"));
        out.push_str("}\n\n");
        ", c: Scalars"
    } else {
        ""
    };
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

/// The whole kernel. `shared` binds every operand read_write, as operands in one buffer need it;
/// each invocation handles `words` words.
pub(crate) fn kernel(body: Body<'_>, access: Access, shared: bool, words: u32) -> String {
    let pass = body.pass();
    let names = pass.operands();
    let (inputs, output) = names.split_at(names.len() - 1);
    let output = output[0];

    let mut module = Module::default();
    module.file(access.file());
    if let Body::Chain(chain, _) = body {
        module.rooms(chain);
    }
    let mut out = module.text;

    let has_scalars = match body {
        Body::Chain(chain, pass) => {
            chain_function(&mut out, chain, pass);
            chain
                .steps()
                .iter()
                .any(|step| !step.parameters().is_empty())
        }
        Body::Copy(_) => false,
    };

    // The places of the operands and the chain's values. Offsets are in words, len in elements; row is
    // the number of workgroups in a row of the grid.
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
    for (index, name) in names.iter().enumerate() {
        let mode = if shared || *name == output {
            "read_write"
        } else {
            "read"
        };
        _ = writeln!(
            out,
            "@group(0) @binding({}) var<storage, {mode}> {name}: array<Word>;",
            index + 1
        );
    }

    let lanes = access.lanes();
    let guard = if lanes == 1 { "i" } else { "4u * i" };
    _ = writeln!(
        out,
        "\nfn word(i: u32) {{\n    if {guard} >= args.len {{\n        return;\n    }}"
    );
    for name in inputs {
        _ = writeln!(out, "    let w_{name} = {name}[args.{name} + i];");
    }
    match body {
        Body::Copy(_) => {
            _ = writeln!(out, "    let result = w_{};", inputs.join(" ^ w_"));
        }
        Body::Chain(..) => {
            for name in inputs {
                _ = writeln!(out, "    let v_{name} = decode(w_{name});");
            }
            let call = |lane: &str| {
                let values: Vec<_> = inputs
                    .iter()
                    .map(|name| format!("v_{name}{lane}"))
                    .collect();
                let scalars = if has_scalars { ", args.scalars" } else { "" };
                format!("chain_{output}({}{scalars})", values.join(", "))
            };
            let result = if lanes == 1 {
                call("")
            } else {
                let calls = [".x", ".y", ".z", ".w"].map(call).join(",\n        ");
                format!("Value(\n        {calls},\n    )")
            };
            let nan: Vec<_> = inputs
                .iter()
                .map(|name| format!("is_nan(w_{name})"))
                .collect();
            _ = writeln!(
                out,
                "    let result = encode({result}, {});",
                nan.join(" | ")
            );
        }
    }
    let target = format!("{output}[args.{output} + i]");
    if lanes == 1 {
        _ = writeln!(out, "    {target} = result;");
    } else {
        // The last word may reach behind the operand: there only its own elements are written.
        _ = writeln!(
            out,
            "    let left = args.len - 4u * i;
    if left >= 4u {{
        {target} = result;
        return;
    }}
    {target}.x = result.x;
    if left > 1u {{
        {target}.y = result.y;
    }}
    if left > 2u {{
        {target}.z = result.z;
    }}"
        );
    }
    out.push_str("}\n\n@compute @workgroup_size(WORKGROUP)\nfn main(\n");
    out.push_str("    @builtin(workgroup_id) group: vec3<u32>,\n");
    out.push_str("    @builtin(local_invocation_index) lane: u32,\n) {\n");
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
        for access in [Access::Vec4, Access::Scalar] {
            for shared in [false, true] {
                for words in [1, 3] {
                    let source = kernel(body, access, shared, words);
                    translate(&source);
                    tint(&source);
                }
            }
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
            let text = kernel(Body::Chain(&chain, Pass::Forward), Access::Vec4, false, 1);
            // The comment that names the chain is for the reader.
            text.lines()
                .filter(|l| !l.starts_with("// "))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(text(2.0), text(-0.125));
    }

    #[test]
    fn each_file_is_in_a_kernel_once() {
        let chain: Chain = "mish | silu | mish | sigmoid".parse().unwrap();
        let text = kernel(Body::Chain(&chain, Pass::Forward), Access::Vec4, false, 1);
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
