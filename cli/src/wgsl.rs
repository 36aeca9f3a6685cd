//! `nonlin wgsl`.

mod count;
mod kernels;
mod room;

use crate::define::Defined;
use crate::layers::Given;
use crate::output::{dtypes, files, orders, passes, show, table};
use crate::pending::{Pending, persist_all};
use crate::subject::{Lengths, Spread, Subject, refuse};
use crate::{Failure, Result, Verdict};
use clap::ValueEnum;
use kernels::Dispatched;
use naga::back::{glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ResourceBinding, ShaderStage, StorageAccess};
use nonlin::layers::Order;
use nonlin::{Chain, DType, Pass};
use std::fmt::{Display, Write};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Print the shaders of a chain or a layer, as WGSL or in the language of a backend
///
/// Of a chain alone, that is one kernel, for f32 operands as long as x, and no gradient but dx. With
/// --shape it is all that the pass dispatches for x of that shape, gradients of all operands
/// included: operands have a value for each channel, or what --arg says; gates and residuals are as
/// long as x. Of a layer it is always that, for --shape or images of 16x64x56x56.
///
/// What is dispatched is printed one kernel after another, each headed by a comment: its label, and
/// the size of its dispatch in workgroups of 256 invocations. How work is cut depends on a device's
/// limits; here they are wgpu's defaults, and operands are in buffers of their own. No adapter is
/// needed.
///
/// Other languages than WGSL are written by naga with the options that wgpu uses for plans, which do
/// not zero workgroup memory: SPIR-V 1.3, Metal
/// Shading Language 2.4, HLSL for shader model 5.1, GLSL ES 3.10. SPIR-V is binary: several kernels
/// need --out, and go to files of their own, which are listed: --out frelu.spv makes frelu.0.spv,
/// frelu.1.spv and so on, in the order of the dispatches, all of them or none.
///
/// --count prints instead how many operations each pass of a chain takes for an element, by kind, as they stand in the
/// text, the test for NaN included: a driver joins some, such as a product and a sum. integer has operations on bits
/// and conditions too; loads, stores, bits taken for another type and the numbers that random steps draw are not counted.
/// Without a chain it prints, as Markdown, what each activation takes beside what GPUs have time for while memory moves
/// an element, by their published peaks.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
    nonlin wgsl 'scale(0.5) | silu'
    nonlin wgsl gelu --pass backward --to msl
    nonlin wgsl --define my.wgsl my_act --pass backward
    nonlin wgsl mish --to spirv --out mish.spv
    nonlin wgsl 'prelu(weight=@w)' --pass backward --shape 32x256x2048
    nonlin wgsl frelu --set norm=train --pass backward --shape 8x32x28x28 --order nhwc
    nonlin wgsl silu --count
    nonlin wgsl --count
    nonlin wgsl dyrelu_b --dtype f16 --to spirv --out dyrelu_b.spv")]
pub(crate) struct Args {
    /// The steps, such as 'scale(0.5) | silu | scale(2)', or a layer, such as frelu; `nonlin list`
    /// shows what there is
    #[arg(required_unless_present = "count")]
    chain: Option<String>,
    #[command(flatten)]
    defined: Defined,
    /// The way through the chain
    #[arg(long, value_parser = passes(), default_value = "forward")]
    pass: Pass,
    /// Count operations, of all passes
    #[arg(long, conflicts_with_all = ["pass", "to", "shape", "dtype", "shared", "out"])]
    count: bool,
    /// The language
    #[arg(long, value_enum, default_value = "wgsl")]
    to: Language,
    /// Samples, channels and elements of each, such as 32x256x2048: what is dispatched for x of that
    /// shape. Of a layer, samples, channels, height and width; 16x64x56x56 if not given
    #[arg(long, value_name = "NxCxL", value_parser = Lengths::parse)]
    shape: Option<Lengths>,
    /// Whose the values of the operand @NAME are, with --shape: one for all (shared), for each channel
    /// (channel), for each sample and channel (sample), or for each element (element)
    #[arg(long, value_name = "NAME=WHOSE", value_parser = Spread::parse)]
    arg: Vec<Spread>,
    /// A setting of the layer, such as kernel=3x1; once for each
    #[arg(long, value_name = "KEY=VALUE", value_parser = Given::parse)]
    set: Vec<Given>,
    /// In which order a layer's images lie in memory [default: nchw]
    #[arg(long, value_parser = orders())]
    order: Option<Order>,
    /// How elements are stored [default: f32]
    #[arg(long, value_parser = dtypes())]
    dtype: Option<DType>,
    /// Elements in front of each operand in its memory, with --shape or of a layer. Where they are no
    /// multiple of four, kernels go element by element
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..1 << 20))]
    offset: u64,
    /// Bind every operand read_write, with --shape or of a layer, as recipes do, and as plans do for operands in
    /// one buffer
    #[arg(long)]
    shared: bool,
    /// Write to a file, which appears whole or not at all
    #[arg(long, value_name = "FILE", value_parser = files())]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Language {
    Wgsl,
    Spirv,
    Msl,
    Hlsl,
    Glsl,
}

pub(crate) fn wgsl(args: &Args) -> Result<Verdict> {
    let defined = args.defined.read()?;
    let Some(chain) = &args.chain else {
        let options = [
            ("--define", !defined.is_empty()),
            ("--arg", !args.arg.is_empty()),
            ("--set", !args.set.is_empty()),
            ("--order", args.order.is_some()),
            ("--offset", args.offset > 0),
        ];
        refuse(&options, "needs a chain, or a layer")?;
        return show(room::document()?).map(|()| Verdict::Fine);
    };
    let subject = Subject::parse(chain, "wgsl", &defined)?;
    if args.to == Language::Spirv && args.out.is_none() && std::io::stdout().is_terminal() {
        let hint = "give --out FILE or redirect the output";
        return Err(Failure(format!(
            "SPIR-V is binary and not for a terminal; {hint}"
        )));
    }
    match subject {
        Subject::Layer(known) if args.count => {
            let why = format!("--count is for chains; {} is a layer", known.name);
            return Err(Failure(why));
        }
        Subject::Layer(known) => show_all(args, &kernels::of_layer(args, known)?)?,
        Subject::Chain(chain) => {
            let options = [
                ("--set", !args.set.is_empty()),
                ("--order", args.order.is_some()),
            ];
            let why = format!("is for layers, such as frelu; {chain} is a chain");
            refuse(&options, &why)?;
            if args.count {
                return show(count::count(&chain)?).map(|()| Verdict::Fine);
            }
            match &args.shape {
                Some(shape) => show_all(args, &kernels::of_chain(args, &chain, shape)?)?,
                None => show_alone(args, &chain)?,
            }
        }
    }
    Ok(Verdict::Fine)
}

/// A chain's kernel, by itself.
fn show_alone(args: &Args, chain: &Chain) -> Result<()> {
    let options = [
        ("--arg", !args.arg.is_empty()),
        ("--dtype", args.dtype.is_some()),
        ("--offset", args.offset > 0),
        ("--shared", args.shared),
    ];
    let why = "needs --shape, such as 32x256x2048: without it a chain's kernel is shown by itself, \
               for f32 operands as long as x";
    refuse(&options, why)?;
    let text = written(chain.wgsl(args.pass)?, args.to)?;
    let Some(path) = &args.out else {
        return show(text);
    };
    let mut file = Pending::create(path)?;
    file.write(&text)?;
    file.persist()
}

/// All that is dispatched: texts one after another, binaries in files of their own.
fn show_all(args: &Args, all: &[Dispatched]) -> Result<()> {
    if args.to == Language::Spirv {
        return show_binaries(args, all);
    }
    let mut text = String::new();
    for (index, each) in all.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        _ = writeln!(text, "// {}", each.title());
        let kernel = written(each.wgsl.clone(), args.to)?;
        text.push_str(&String::from_utf8_lossy(&kernel));
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    let Some(path) = &args.out else {
        return show(text);
    };
    let mut file = Pending::create(path)?;
    file.write(text.as_bytes())?;
    file.persist()
}

fn show_binaries(args: &Args, all: &[Dispatched]) -> Result<()> {
    let (files, rows) = match (&args.out, all) {
        (None, [one]) => return show(written(one.wgsl.clone(), args.to)?),
        (None, all) => {
            return Err(Failure(format!(
                "SPIR-V of {} kernels is as many files; give --out FILE, and FILE.0, FILE.1 and so on are \
                 written, the numbers before the extension",
                all.len()
            )));
        }
        (Some(path), all) => {
            let (mut files, mut rows) = (Vec::new(), Vec::new());
            for (index, each) in all.iter().enumerate() {
                let path = if all.len() == 1 {
                    path.clone()
                } else {
                    numbered(path, index)
                };
                let mut file = Pending::create(&path)?;
                file.write(&written(each.wgsl.clone(), args.to)?)?;
                files.push(file);
                rows.push(vec![path.display().to_string(), each.title()]);
            }
            (files, rows)
        }
    };
    persist_all(files)?;
    show(table(&rows, 2))
}

/// `frelu.0.spv` for `frelu.spv`.
fn numbered(path: &Path, index: usize) -> PathBuf {
    match path.extension() {
        Some(extension) => {
            let mut extended = std::ffi::OsString::from(format!("{index}."));
            extended.push(extension);
            path.with_extension(extended)
        }
        None => path.with_extension(index.to_string()),
    }
}

fn written(source: String, to: Language) -> Result<Vec<u8>> {
    match to {
        Language::Wgsl => Ok(source.into_bytes()),
        language => translate(&source, language),
    }
}

/// The entry point of every kernel.
const MAIN: &str = "main";

fn translate(source: &str, language: Language) -> Result<Vec<u8>> {
    let module = naga::front::wgsl::parse_str(source).map_err(failed)?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    let info = validator.validate(&module).map_err(failed)?;
    let entry = (ShaderStage::Compute, MAIN);
    let constants = Default::default();
    let (module, info) =
        process_overrides(&module, &info, Some(entry), &constants).map_err(failed)?;
    match language {
        Language::Wgsl => Ok(source.into()),
        Language::Spirv => spirv(&module, &info),
        Language::Msl => msl(&module, &info),
        Language::Hlsl => hlsl(&module, &info),
        Language::Glsl => glsl(&module, &info),
    }
}

fn failed(error: impl Display) -> Failure {
    Failure(format!("cannot translate the shader: {error}"))
}

/// The kernel's buffers in the order of their bindings, and whether each is a uniform, and written.
fn buffers(module: &Module) -> Vec<(ResourceBinding, bool, bool)> {
    let variables = module.global_variables.iter();
    let mut buffers: Vec<_> = variables
        .filter_map(|(_, variable)| {
            let (uniform, written) = match variable.space {
                AddressSpace::Uniform => (true, false),
                AddressSpace::Storage { access } => (false, access.contains(StorageAccess::STORE)),
                _ => return None,
            };
            Some((variable.binding?, uniform, written))
        })
        .collect();
    buffers.sort_by_key(|(binding, ..)| (binding.group, binding.binding));
    buffers
}

/// As wgpu asks for it where a driver has no robust access of its own.
const RESTRICT: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Restrict,
    buffer: BoundsCheckPolicy::Restrict,
    image_load: BoundsCheckPolicy::Restrict,
    binding_array: BoundsCheckPolicy::Unchecked,
};

/// What every Vulkan device can do.
const CAPABILITIES: [spv::Capability; 7] = [
    spv::Capability::Shader,
    spv::Capability::Matrix,
    spv::Capability::Sampled1D,
    spv::Capability::Image1D,
    spv::Capability::ImageQuery,
    spv::Capability::DerivativeControl,
    spv::Capability::StorageImageExtendedFormats,
];

fn spirv(module: &Module, info: &ModuleInfo) -> Result<Vec<u8>> {
    let map = |(binding, ..): (ResourceBinding, bool, bool)| {
        let (descriptor_set, number) = (binding.group, binding.binding);
        let target = spv::BindingInfo {
            descriptor_set,
            binding: number,
            binding_array_size: None,
        };
        (binding, target)
    };
    let options = spv::Options {
        lang_version: (1, 3),
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        fake_missing_bindings: false,
        binding_map: buffers(module).into_iter().map(map).collect(),
        capabilities: Some(CAPABILITIES.into_iter().collect()),
        bounds_check_policies: RESTRICT,
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        use_storage_input_output_16: false,
        ..Default::default()
    };
    let entry = spv::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: MAIN.into(),
    };
    let words = spv::write_vec(module, info, &options, Some(&entry)).map_err(failed)?;
    Ok(words.into_iter().flat_map(u32::to_le_bytes).collect())
}

fn msl(module: &Module, info: &ModuleInfo) -> Result<Vec<u8>> {
    let buffers = buffers(module);
    // Buffers take the slots in order; behind them comes the one with their sizes.
    let sizes_buffer = Some(buffers.len() as msl::Slot);
    let map = |(slot, (binding, _, mutable)): (usize, (ResourceBinding, bool, bool))| {
        let buffer = Some(slot as msl::Slot);
        (
            binding,
            msl::BindTarget {
                buffer,
                mutable,
                ..Default::default()
            },
        )
    };
    let resources = msl::EntryPointResources {
        resources: buffers.into_iter().enumerate().map(map).collect(),
        immediates_buffer: None,
        sizes_buffer,
    };
    let options = msl::Options {
        lang_version: (2, 4),
        per_entry_point_map: [(MAIN.to_owned(), resources)].into(),
        spirv_cross_compatibility: false,
        zero_initialize_workgroup_memory: false,
        fake_missing_bindings: false,
        bounds_check_policies: RESTRICT,
        ..Default::default()
    };
    let entry = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, MAIN.into())),
        vertex_pulling_transform: true,
        ..Default::default()
    };
    let (text, _) = msl::write_string(module, info, &options, &entry).map_err(failed)?;
    Ok(text.into_bytes())
}

fn hlsl(module: &Module, info: &ModuleInfo) -> Result<Vec<u8>> {
    // Registers are counted apart for uniforms, buffers that are read, and buffers that are
    // written.
    let mut registers = [0; 3];
    let map = |(binding, uniform, written): (ResourceBinding, bool, bool)| {
        let next = &mut registers[if uniform { 0 } else { 1 + usize::from(written) }];
        let target = hlsl::BindTarget {
            register: *next,
            ..Default::default()
        };
        *next += 1;
        (binding, target)
    };
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V5_1,
        zero_initialize_workgroup_memory: false,
        binding_map: buffers(module).into_iter().map(map).collect(),
        fake_missing_bindings: false,
        ..Default::default()
    };
    let entry = hlsl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, MAIN.into())),
    };
    let mut text = String::new();
    let mut writer = hlsl::Writer::new(&mut text, &options, &entry);
    writer.write(module, info, None).map_err(failed)?;
    Ok(text.into_bytes())
}

fn glsl(module: &Module, info: &ModuleInfo) -> Result<Vec<u8>> {
    // Slots are counted apart for uniform and storage buffers.
    let mut slots = [0; 2];
    let map = |(binding, uniform, _): (ResourceBinding, bool, bool)| {
        let next = &mut slots[usize::from(uniform)];
        let slot = *next;
        *next += 1;
        (binding, slot)
    };
    let options = glsl::Options {
        version: glsl::Version::Embedded {
            version: 310,
            is_webgl: false,
        },
        writer_flags: glsl::WriterFlags::ADJUST_COORDINATE_SPACE
            | glsl::WriterFlags::FORCE_POINT_SIZE,
        binding_map: buffers(module).into_iter().map(map).collect(),
        zero_initialize_workgroup_memory: false,
    };
    let entry = glsl::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: MAIN.into(),
        multiview: None,
    };
    let unchecked = BoundsCheckPolicies::default();
    let mut text = String::new();
    glsl::Writer::new(&mut text, module, info, &options, &entry, unchecked)
        .and_then(|mut writer| writer.write())
        .map_err(failed)?;
    Ok(text.into_bytes())
}
