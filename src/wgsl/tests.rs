mod written;

pub(crate) use written::stubs_are_written;

use super::chain::functions;
use super::*;
use crate::act::Activation;
use crate::chain::Chain;
use crate::pass::Pass;
use crate::tensor::dtype::DType;
use naga::Module;
use naga::ShaderStage::Compute;
use naga::back::{glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::ModuleInfo;

/// Holds a kernel to the lint, and translates it to every backend's language, with the options that wgpu uses there.
pub(crate) fn translate(source: &str) {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{}\n{source}", e.emit_to_string(source)));
    let flags = naga::valid::ValidationFlags::all();
    let info = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}\n{source}", e.emit_to_string(source)));
    let faults = lint::faults(&module, &info);
    assert!(faults.is_empty(), "{faults:#?}\n{source}");
    let workgroup = source
        .contains("override WORKGROUP")
        .then(|| ("WORKGROUP".to_owned(), 64.0));
    let constants = workgroup.into_iter().collect();
    let (module, info) =
        process_overrides(&module, &info, Some((Compute, "main")), &constants).unwrap();
    // A device has one of the policies and of the versions; each is met once, which nothing couples.
    for (buffer, of_spirv, of_metal) in [
        (BoundsCheckPolicy::Restrict, &[(1, 0), (1, 3)][..], (2, 4)),
        (BoundsCheckPolicy::Unchecked, &[(1, 6)], (3, 0)),
    ] {
        let policies = BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer,
            ..Default::default()
        };
        for version in of_spirv {
            to_spirv(&module, &info, policies, *version);
        }
        to_metal(&module, &info, policies, of_metal);
    }
    to_hlsl(&module, &info);
    to_glsl(&module, &info);
}

fn to_spirv(
    module: &Module,
    info: &ModuleInfo,
    bounds_check_policies: BoundsCheckPolicies,
    lang_version: (u8, u8),
) {
    let options = spv::Options {
        lang_version,
        bounds_check_policies,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions {
        shader_stage: Compute,
        entry_point: "main".into(),
    };
    spv::write_vec(module, info, &options, Some(&pipeline)).unwrap();
}

fn to_metal(
    module: &Module,
    info: &ModuleInfo,
    bounds_check_policies: BoundsCheckPolicies,
    lang_version: (u8, u8),
) {
    let resource = |mutable| msl::BindTarget {
        buffer: Some(0),
        mutable,
        ..Default::default()
    };
    let resources = (0..9).map(|binding| {
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
        per_entry_point_map: [("main".to_owned(), entry_resources)].into_iter().collect(),
        bounds_check_policies,
        fake_missing_bindings: false,
        ..Default::default()
    };
    let pipeline = msl::PipelineOptions {
        entry_point: Some((Compute, "main".into())),
        ..Default::default()
    };
    msl::write_string(module, info, &options, &pipeline).unwrap();
}

fn to_hlsl(module: &Module, info: &ModuleInfo) {
    for shader_model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_2] {
        let options = hlsl::Options {
            shader_model,
            ..Default::default()
        };
        let pipeline = hlsl::PipelineOptions {
            entry_point: Some((Compute, "main".into())),
        };
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &options, &pipeline)
            .write(module, info, None)
            .unwrap();
    }
}

fn to_glsl(module: &Module, info: &ModuleInfo) {
    let options = glsl::Options {
        version: glsl::Version::Embedded {
            version: 310,
            is_webgl: false,
        },
        ..Default::default()
    };
    let pipeline = glsl::PipelineOptions {
        shader_stage: Compute,
        entry_point: "main".into(),
        multiview: None,
    };
    let mut text = String::new();
    let policies = BoundsCheckPolicies::default();
    glsl::Writer::new(&mut text, module, info, &options, &pipeline, policies)
        .unwrap()
        .write()
        .unwrap();
}

/// What browsers say to a kernel, where tint is installed.
pub(crate) fn tint(source: &str) {
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

fn with_dtypes(form: &Form, dtypes: &[DType]) -> Form {
    let mut form = form.clone();
    let mut dtypes = dtypes.iter().copied().cycle();
    let mut next = || dtypes.next().unwrap_or_default();
    form.inputs
        .iter_mut()
        .for_each(|input| input.dtype = next());
    form.outputs
        .iter_mut()
        .for_each(|output| output.dtype = next());
    form
}

fn every_form(body: Body<'_>) {
    let plain = Form::plain(body, DType::F32.into());
    let mut forms = vec![Form {
        words: 3,
        ..plain.clone()
    }];
    for access in [Access::Vec4, Access::Scalar] {
        let form = Form {
            access,
            ..plain.clone()
        };
        let mixed = [DType::F16, DType::BF16, DType::F32];
        let dtypes = DType::ALL
            .iter()
            .map(std::slice::from_ref)
            .chain([&mixed[..]]);
        forms.extend(dtypes.map(|dtypes| with_dtypes(&form, dtypes)));
        forms.push(Form {
            shared: true,
            ..form.clone()
        });
        forms.extend([DType::F32, DType::F16].map(|dtype| Form {
            offsets: true,
            ..with_dtypes(&form, &[dtype])
        }));
        for dtypes in [&[DType::F32][..], &mixed] {
            forms.push(Form {
                whole: true,
                ..with_dtypes(&form, dtypes)
            });
        }
        let mut in_place = with_dtypes(&form, &[DType::BF16]);
        in_place.outputs[0].in_place = Some(0);
        forms.push(in_place);
    }
    for form in forms.iter().flat_map(as_dispatched) {
        try_form(body, &form);
    }
}

/// A form, or, where results share 32 bits with their neighbours, one for each of them.
fn as_dispatched(form: &Form) -> Vec<Form> {
    let is_narrow = form.outputs.iter().any(|output| output.dtype.size() < 4);
    if form.access == Access::Vec4 || !is_narrow {
        return vec![form.clone()];
    }
    let alone = |output: &Output| Form {
        outputs: vec![output.clone()],
        ..form.clone()
    };
    form.outputs.iter().map(alone).collect()
}

fn try_form(body: Body<'_>, form: &Form) {
    let source = kernel(body, form);
    translate(&source);
    tint(&source);
}

#[test]
fn every_activation_translates_in_every_form() {
    for activation in Activation::ALL {
        let chain = Chain::from(*activation);
        for pass in Pass::ALL {
            if chain.supports(pass).is_ok() {
                every_form(Body::Chain(&chain, pass));
            }
        }
    }
}

#[test]
fn a_chain_of_everything_and_the_copies_translate() {
    let start = Chain::new().scale(2.0);
    let chain = Activation::ALL
        .iter()
        .fold(start, |chain, a| chain.act(*a).scale(0.5));
    for pass in Pass::FROM_X {
        every_form(Body::Chain(&chain, pass));
        every_form(Body::Chain(&Chain::new().scale(3.0), pass));
        every_form(Body::Copy(pass));
    }
}

/// The forms of a backward pass with all gradients whose operands' values are at these places: element by element, and
/// swept, with and without sums; by columns it is for sums alone.
fn learned_forms(body: Body<'_>, names: &[&str], access: Access, at: At) -> Vec<Form> {
    let plain = |body| Form::plain(body, DType::F32.into());
    let mut form = Form {
        access,
        ..plain(body)
    };
    let needs = body.needs(names).into_iter().enumerate();
    let first = body.needs(names).first().map(|name| arg(name));
    let inputs = needs.map(|(index, name)| Input {
        has_periods: false,
        // The second lies where the first does, and others where they will.
        like: first.clone().filter(|_| index == 1 && at.is_of_channel()),
        name: arg(&name),
        dtype: DType::F16,
        at,
        beside: None,
    });
    form.inputs = plain(Body::Copy(Pass::Backward)).inputs;
    form.inputs.extend(inputs);
    let mut forms = Vec::new();
    if !matches!(at, At::Held | At::HeldSample) {
        let mut each = form.clone();
        each.outputs.extend(names.iter().map(|name| Output {
            name: format!("d_{name}"),
            dtype: DType::F32,
            at: if at == At::Rows { at } else { At::Each },
            in_place: None,
            beside: None,
        }));
        forms.push(each);
    }
    for sweep in [Sweep::Rows, Sweep::Columns(1), Sweep::Columns(8)] {
        let swept = Form {
            sweep,
            ..form.clone()
        };
        let with_sums = Form {
            sums: names.iter().map(ToString::to_string).collect(),
            ..swept.clone()
        };
        let sums_alone = Form {
            outputs: Vec::new(),
            offsets: true,
            ..with_sums.clone()
        };
        forms.extend([swept, with_sums, sums_alone]);
    }
    forms
}

/// x and a gate that alternate, and so do their gradients; in the places of x and the gate, and elsewhere.
fn alternating(chain: &Chain) -> Vec<(Body<'_>, Form)> {
    let body = Body::Chain(chain, Pass::Backward);
    let mut forms = Vec::new();
    for dtype in [DType::F32, DType::F16] {
        for (whole, in_place, both) in [
            (true, false, true),
            (false, true, true),
            (false, false, false),
        ] {
            let mut form = Form {
                whole,
                ..Form::plain(body, dtype.into())
            };
            let gate = form.inputs.len() - 1;
            form.inputs[0].at = At::Even;
            form.inputs[gate].at = At::Odd;
            form.inputs[gate].beside = Some(0);
            form.outputs[0].at = At::Even;
            form.outputs[0].in_place = in_place.then_some(0);
            if both {
                form.outputs.push(Output {
                    name: "d_g".into(),
                    dtype,
                    at: At::Odd,
                    in_place: in_place.then_some(gate),
                    beside: Some(0),
                });
            }
            forms.push((body, form));
        }
    }
    forms
}

#[test]
fn alternating_operands_translate() {
    let chain: Chain = "silu | gate(@g | tanh)".parse().unwrap();
    for (body, form) in alternating(&chain) {
        try_form(body, &form);
    }
    // One by one, in rows that begin and end within words.
    let body = Body::Chain(&chain, Pass::Forward);
    let mut form = Form {
        access: Access::Scalar,
        ..Form::plain(body, DType::F16.into())
    };
    form.inputs[0].at = At::Rows;
    form.outputs[0].at = At::Ragged;
    try_form(body, &form);
}

/// Operands of all kinds, random numbers, sums in every order, rows with gaps, several outputs.
#[test]
fn learned_and_random_chains_translate() {
    use At::*;
    let texts = [
        "scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)",
        "acon_c(p1=@p1, p2=@p2, beta=@b)",
        "silu | gate(@g)",
        "rrelu | scale(@s)",
        // Names that could be those of numbers beside another operand.
        "scale(@w) | bias(@w_channels) | prelu(weight=@w_gap) | scale(@w_bits)",
        // A keyword of WGSL, and names that kernels use.
        "scale(@for) | bias(@nan) | prelu(weight=@sum)",
    ];
    for text in texts {
        let chain: Chain = text.parse().unwrap();
        for pass in Pass::FROM_X {
            every_form(Body::Chain(&chain, pass));
        }
        let body = Body::Chain(&chain, Pass::Backward);
        for access in [Access::Vec4, Access::Scalar] {
            for at in [
                Each,
                Rows,
                Shared,
                Channel,
                Edge,
                Channels,
                ChannelWords,
                Held,
                HeldSample,
            ] {
                if access == Access::Scalar && matches!(at, Edge | Channels | ChannelWords) {
                    continue;
                }
                for form in learned_forms(body, &chain.operands(), access, at) {
                    try_form(body, &form);
                }
            }
        }
    }
    for dtypes in [&[DType::F32][..], &[DType::F16, DType::BF16, DType::F32]] {
        let source = finish(dtypes);
        translate(&source);
        tint(&source);
    }
}

/// All parameters that can be learned, from operands, each with its gradient.
#[test]
fn every_learned_activation_translates() {
    let learned = |activation: &&Activation| !activation.learnable().is_empty();
    for activation in Activation::ALL.iter().filter(learned) {
        let named = |name: &&str| format!("{name}=@a_{name}");
        let parameters: Vec<_> = activation.parameters().iter().map(named).collect();
        let text = format!("{}({})", activation.name(), parameters.join(", "));
        let chain: Chain = text.parse().unwrap();
        let body = Body::Chain(&chain, Pass::Backward);
        let learnable = activation.learnable().into_iter();
        let names: Vec<_> = learnable.map(|name| format!("a_{name}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for form in learned_forms(body, &names, Access::Vec4, At::Held) {
            try_form(body, &form);
        }
    }
}

#[test]
fn values_are_not_in_the_text() {
    let text = |factor| {
        let chain = Chain::new().scale(factor).act(Activation::Silu);
        let text = kernel(
            Body::Chain(&chain, Pass::Forward),
            &Form::plain(Body::Chain(&chain, Pass::Forward), DType::F32.into()),
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
        &Form::plain(Body::Chain(&chain, Pass::Forward), DType::F32.into()),
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
