//! `nonlin check`.

mod found;
mod layer;
mod operands;

use crate::define::{self, Defined};
use crate::exhaustive::{self, Adapter, Table};
use crate::layers::Given;
use crate::output::{Progress, dtypes, files, orders, show, show_json};
use crate::subject::{Lengths, Spread, Subject, refuse};
use crate::{Failure, Result, Verdict, adapters};
use found::{Checked, Comparison, passed, text};
use nonlin::check::{self, Expected, Report};
use nonlin::half::{bf16, f16};
use nonlin::layers::Order;
use nonlin::{Activation, Chain, DType, Element, Gpu, Pass, Values};
use serde_json::json;
use std::path::PathBuf;

/// Compare the GPU's values and derivatives with the f64 reference
///
/// Inputs cover all of f32: every magnitude, both signs, infinities and NaN, and the neighbourhood
/// of every point where a formula changes; of f16 and bf16, they are all 65,536. ULP are those of
/// the dtype. The worst element decides. Exits with 1 if any element's error is more than is allowed
/// to it, and if nothing was compared. Of f16 and bf16, misrounded counts the elements that are not the
/// number nearest to the reference: what is computed in f32 and then rounded may end on the other side of
/// the middle between two numbers.
///
/// Chains with operands are compared on seeded numbers of a shape, 4x16x1024 if not given: y, dx and
/// the gradient of each operand that has one. Operands have a value for each channel, or what --arg
/// says. Errors of sums are in units of 2^-24 of the sum of their terms' magnitudes.
///
/// Steps over whole rows, such as softmax, are compared on rows along the middle axis of such a shape, 32x1000x1 if not
/// given.
///
/// Layers (frelu, meta_acon, dyrelu_a, dyrelu_b, dyrelu_c) are compared likewise, on images of
/// 4x16x28x28 if no shape is given: y and new running statistics, dx and the gradient of each
/// parameter. For each tensor the largest error is told, what is allowed to each element (32
/// roundings of f32 of the tensor's magnitude, and what the reference itself moves when its inputs are
/// off by a last digit), and that magnitude. Where a maximum's sides are as good as equal, a right
/// kernel may take the other one: if an element of dx fails alone on a large shape, try another --seed.
/// A tensor that is zero in the reference does not pass: nothing would be compared.
///
/// An activation of --define has no error that it is promised to keep to: what it has is told, as "told", and fails only where
/// a result is NaN and the reference is not. Near a root of a derivative, and where f32 ends, that may be millions of ULP. The
/// reference is made of the file too, so that what is wrong with the formula is
/// not found; --json then has "shares_formula", the activations of which that is so.
///
/// --json prints {"adapter", "dtype", "passed", "results": [{"chain", "pass", "compared", "failed",
/// "passed", "worst"}]}, and of f16 and bf16 "misrounded". worst is the element nearest to, or furthest over, what is allowed:
/// {"index", "x", "dy", "got", "want", "ulp", "allowed"}; null if all are exact. Numbers that JSON
/// does not have are the strings "nan", "inf" and "-inf". On a shape, each tensor has a result, with
/// "shape" and "tensor" beside "pass": y, dx, or the operand whose gradient it is. Of a layer there are
/// "layer" instead of "chain", "order", "allowed", "magnitude" and "blunt" (the reference is zero, or so
/// much is allowed, that the comparison says nothing, which is no pass); tensor is y, dx, a statistic that is new, or a parameter
/// whose gradient it is; and worst, the element furthest off, is {"index", "got", "want", "off"}.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
    nonlin check
    nonlin check 'scale(0.5) | silu | scale(2)' --count 10000000
    nonlin check gelu --dtype f16
    nonlin check --adapter swiftshader --json
    nonlin check 'prelu(weight=@w)' --shape 8x64x1000
    nonlin check 'silu | gate(@g)' 'bias(@b) | dropout(0.1)' --seed 7
    nonlin check frelu --set norm=train --shape 2x8x33x31 --order nhwc
    nonlin check --define my.wgsl 'scale(0.5) | my_act'
    nonlin check --exhaustive silu
    nonlin check --exhaustive --adapter vulkan --adapter gl --out accuracy.md")]
pub(crate) struct Args {
    /// The chains or layers to check; if none is given, what is defined, or every activation by itself
    #[arg(value_name = "CHAIN")]
    chains: Vec<String>,
    #[command(flatten)]
    defined: Defined,
    /// How elements are stored on the device
    #[arg(long, default_value = "f32", value_parser = dtypes())]
    dtype: DType,
    /// Use the first adapter whose description contains this, in upper or lower case; with
    /// --exhaustive, several can be given
    #[arg(long, value_name = "TEXT")]
    adapter: Vec<String>,
    /// Check about this many inputs of f32, 200,000 if not given; of f16 and bf16 it is always all
    #[arg(long, conflicts_with = "exhaustive")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1 << 28))]
    count: Option<u32>,
    /// Of chains with operands or random steps: samples, channels and elements of each, such as
    /// 32x256x2048. Of layers: samples, channels, height and width
    #[arg(long, value_name = "NxCxL", value_parser = Lengths::parse, conflicts_with = "exhaustive")]
    shape: Option<Lengths>,
    /// Whose the values of the operand @NAME are: one for all (shared), for each channel (channel), for
    /// each sample and channel (sample), or for each element (element)
    #[arg(long, value_name = "NAME=WHOSE", value_parser = Spread::parse, conflicts_with = "exhaustive")]
    arg: Vec<Spread>,
    /// A setting of the layers, such as kernel=3x1; once for each
    #[arg(long, value_name = "KEY=VALUE", value_parser = Given::parse, conflicts_with = "exhaustive")]
    set: Vec<Given>,
    /// In which order a layer's images lie in memory [default: nchw]
    #[arg(long, value_parser = orders(), conflicts_with = "exhaustive")]
    order: Option<Order>,
    /// What the numbers on a shape are, and what dropout and rrelu draw [default: 0]
    #[arg(long, value_name = "N", conflicts_with = "exhaustive")]
    seed: Option<u64>,
    /// Walk all 2^32 inputs of f32, which takes a minute or some for each chain and adapter
    #[arg(long, conflicts_with = "dtype")]
    exhaustive: bool,
    /// Write the table of --exhaustive to a Markdown file, after each pass of a chain. Rows of the same
    /// adapters, drivers and kernels that are there already are kept, and not walked again, unless they failed
    #[arg(long, value_name = "FILE", value_parser = files(), requires = "exhaustive")]
    out: Option<PathBuf>,
    /// Compare with another program too, as tools/torch_peer.py is one for PyTorch
    #[arg(long, value_name = "COMMAND", requires = "exhaustive")]
    peer: Option<String>,
    /// Print a JSON document
    #[arg(long, conflicts_with = "exhaustive")]
    json: bool,
}

/// Inputs of f32, if no other number is asked for.
const COUNT: u32 = 200_000;

/// Elements compared at one time.
const PIECE: usize = 1 << 16;

/// Elements of a tensor on a shape: the reference holds several of f64.
const MOST: u64 = 1 << 26;

/// What is to be compared.
enum Job {
    /// A chain, over its dtype, and the inputs there are.
    Everywhere(Chain, usize),
    Operands(operands::Job),
    Layer(layer::Job),
}

/// What is asked for: all activations, or all that are defined, where nothing is.
fn subjects(args: &Args) -> Result<Vec<Subject>> {
    let own = args.defined.read()?;
    let parsed = args.chains.iter();
    let parsed = parsed.map(|text| Subject::parse(text, "check", &own));
    let parsed: Vec<Subject> = parsed.collect::<Result<_>>()?;
    Ok(match (parsed.is_empty(), own.is_empty()) {
        (false, _) => parsed,
        (true, false) => own
            .into_iter()
            .map(|own| Subject::Chain(own.into()))
            .collect(),
        (true, true) => {
            let all = Activation::ALL.iter().copied().map(Chain::from);
            all.map(Subject::Chain).collect()
        }
    })
}

pub(crate) fn check(args: &Args) -> Result<Verdict> {
    let subjects = subjects(args)?;
    if args.exhaustive {
        return walk(args, subjects);
    }
    if let [_, second, ..] = args.adapter.as_slice() {
        let message = format!("several adapters need --exhaustive; \"{second}\" is the second");
        return Err(Failure(message));
    }
    if args.count.is_some() && args.dtype != DType::F32 {
        let message = format!(
            "--count is for f32; of {} all 65,536 inputs are checked",
            args.dtype
        );
        return Err(Failure(message));
    }
    let jobs = subjects.into_iter().map(|subject| Job::new(args, subject));
    let jobs: Vec<Job> = jobs.collect::<Result<_>>()?;
    let gpu = adapters::open(args.adapter.first().map(String::as_str))?;
    let name = adapters::name(&gpu);
    let compare = match args.dtype {
        DType::F16 => compare::<f16>,
        DType::BF16 => compare::<bf16>,
        _ => compare::<f32>,
    };
    let checked = compare(&gpu, &jobs, args.seed.unwrap_or(0))?;
    let shared = shared(&jobs);
    let passed = passed(&checked);
    if args.json {
        let results: Vec<_> = checked.iter().map(Checked::json).collect();
        let mut document = json!({
            "adapter": name,
            "dtype": args.dtype.name(),
            "passed": passed,
            "results": results,
        });
        if !shared.is_empty() {
            document["shares_formula"] = shared.into();
        }
        show_json(&document)?;
    } else {
        let title = format!("{} on {name}", args.dtype);
        let mut text = text(&title, &checked);
        if let Some(note) = define::note(&shared) {
            text += &format!("{note}\n");
        }
        show(text)?;
    }
    Ok(if passed {
        Verdict::Fine
    } else {
        Verdict::CheckFailed
    })
}

/// The activations whose reference is made of their own text.
fn shared(jobs: &[Job]) -> Vec<&str> {
    let mut names = Vec::new();
    for job in jobs {
        match job {
            Job::Everywhere(chain, _) => names.extend(define::shared(chain)),
            Job::Operands(job) => names.extend(define::shared(job.chain())),
            Job::Layer(_) => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

impl Job {
    fn new(args: &Args, subject: Subject) -> Result<Self> {
        let of_layers = [
            ("--set", !args.set.is_empty()),
            ("--order", args.order.is_some()),
        ];
        let count = ("--count", args.count.is_some());
        let shape = |default: &[u64]| -> Result<Lengths> {
            let default = || Lengths(default.to_vec());
            let shape = args.shape.clone().unwrap_or_else(default);
            let elements: u64 = shape.0.iter().product();
            if elements > MOST {
                return Err(Failure(format!(
                    "--shape {shape} has {elements} elements; at most {MOST} can be compared"
                )));
            }
            Ok(shape)
        };
        let chain = match subject {
            Subject::Layer(known) => {
                let options = [count, ("--arg", !args.arg.is_empty())];
                refuse(
                    &options,
                    &format!("is for chains; {} is a layer", known.name),
                )?;
                let (shape, order) = (shape(&layer::SHAPE)?, args.order.unwrap_or_default());
                let job = layer::Job::new(known, &args.set, shape, order)?;
                return Ok(Job::Layer(job));
            }
            Subject::Chain(chain) => chain,
        };
        let why = format!("is for layers, such as frelu; {chain} is a chain");
        refuse(&of_layers, &why)?;
        let is_of_rows = chain.row().is_some();
        let is_shaped = chain.is_random() && args.shape.is_some();
        if is_of_rows || !chain.operands().is_empty() || is_shaped {
            let why = format!("is for chains without operands; {chain} is compared on a --shape");
            refuse(&[count], &why)?;
            let shape = match is_of_rows {
                true => shape(&operands::ROWS)?,
                false => shape(&operands::SHAPE)?,
            };
            let job = operands::Job::new(chain, shape, &args.arg)?;
            return Ok(Job::Operands(job));
        }
        let options = [
            ("--shape", args.shape.is_some()),
            ("--arg", !args.arg.is_empty()),
            ("--seed", args.seed.is_some() && !chain.is_random()),
        ];
        let why = format!(
            "is for layers and for chains with operands (@name) or random steps; {chain} has none"
        );
        refuse(&options, &why)?;
        let count = match args.dtype {
            DType::F32 => args.count.unwrap_or(COUNT) as usize,
            _ => 1 << 16,
        };
        Ok(Job::Everywhere(chain, count))
    }

    /// For the progress bar.
    fn elements(&self) -> u64 {
        match self {
            Job::Everywhere(chain, count) => passes(chain).count() as u64 * *count as u64,
            Job::Operands(job) => job.elements(),
            Job::Layer(job) => job.elements(),
        }
    }
}

/// The passes that a chain has.
fn passes(chain: &Chain) -> impl Iterator<Item = Pass> {
    let passes = Pass::ALL.into_iter();
    passes.filter(|pass| chain.supports(*pass).is_ok())
}

/// The chains among these: all of them, and each goes element by element.
fn elementwise(subjects: Vec<Subject>) -> Result<Vec<Chain>> {
    let chains = subjects.into_iter().map(|subject| match subject {
        Subject::Chain(chain) => Ok(chain),
        Subject::Layer(known) => Err(Failure(format!(
            "--exhaustive is for chains; {} is a layer",
            known.name
        ))),
    });
    let chains: Vec<Chain> = chains.collect::<Result<_>>()?;
    if let Some(chain) = chains.iter().find(|chain| chain.row().is_some()) {
        return Err(Failure(format!(
            "--exhaustive is for chains that go element by element; {chain} has a step over whole rows"
        )));
    }
    Ok(chains)
}

/// `check --exhaustive`.
fn walk(args: &Args, subjects: Vec<Subject>) -> Result<Verdict> {
    let chains = elementwise(subjects)?;
    let mut wanted: Vec<_> = args
        .adapter
        .iter()
        .map(|text| Some(text.as_str()))
        .collect();
    if wanted.is_empty() {
        wanted.push(None);
    }
    let mut opened = Vec::new();
    for text in wanted {
        let gpu = adapters::open(text)?;
        let info = gpu.device().adapter_info();
        let name = info.name.split(" (").next().unwrap_or_default();
        opened.push(Adapter {
            name: format!("{name}, {}", info.backend),
            description: adapters::name(&gpu),
            gpu,
        });
    }
    let budget = |chain: &Chain| match chain.steps() {
        [step] => step
            .activation()
            .map_or(0.0, |activation| activation.budget()),
        _ => 0.0,
    };
    let peer = args.peer.as_deref();
    let mut table = Table::new(&opened, peer)?;
    if let Some(path) = &args.out {
        table.resume(path)?;
    }
    let passes = chains.iter().flat_map(|chain| {
        let passes = Pass::FROM_X.into_iter();
        passes.map(move |pass| (chain.clone(), pass, budget(chain)))
    });
    let passes: Vec<_> = passes
        .filter(|(chain, pass, _)| !table.has(chain, *pass))
        .collect();
    let mut passed = true;
    exhaustive::walk(&opened, peer, &passes, |row| {
        passed &= row.passes();
        table.add(&row);
        args.out.as_ref().map_or(Ok(()), |path| table.write(path))
    })?;
    show(table.text())?;
    Ok(if passed {
        Verdict::Fine
    } else {
        Verdict::CheckFailed
    })
}

/// The inputs on which a chain is checked: about `count` of f32, all of a dtype of 16 bits.
fn inputs<T: Element>(chain: &Chain, count: usize) -> Vec<T> {
    match T::DTYPE {
        DType::F32 => bytemuck::cast_slice(&check::inputs(chain, count)).to_vec(),
        _ => bytemuck::cast_slice(&(0..=u16::MAX).collect::<Vec<_>>()).to_vec(),
    }
}

fn compare<T: Element>(gpu: &Gpu, jobs: &[Job], seed: u64) -> Result<Vec<Checked>> {
    let progress = Progress::new(jobs.iter().map(Job::elements).sum());
    let mut done = Vec::new();
    for job in jobs {
        match job {
            Job::Everywhere(chain, count) => {
                for pass in passes(chain) {
                    progress.doing(format!("{chain} {pass}"));
                    let report = everywhere::<T>(gpu, chain, pass, *count, seed, &progress)?;
                    done.push(Checked {
                        subject: chain.to_string(),
                        shape: None,
                        order: None,
                        pass,
                        tensor: None,
                        comparison: Comparison::Elements(report),
                    });
                }
            }
            Job::Operands(job) => {
                done.extend(job.compare::<T>(gpu, seed)?);
                progress.advance(job.elements());
            }
            Job::Layer(job) => {
                done.extend(job.compare::<T>(gpu, seed)?);
                progress.advance(job.elements());
            }
        }
    }
    Ok(done)
}

/// A chain's pass on about `count` inputs of all kinds.
pub(crate) fn everywhere<T: Element>(
    gpu: &Gpu,
    chain: &Chain,
    pass: Pass,
    count: usize,
    seed: u64,
    progress: &Progress,
) -> Result<Report> {
    let mut x = inputs::<T>(chain, count);
    if pass == Pass::BackwardFromY {
        // The values that there are.
        let y = nonlin::reference::forward(chain, &x)?;
        x = y.into_iter().map(T::from_f64).collect();
    }
    let dy = [T::from_f64(1.0); PIECE];
    let values = Values::new().random(seed, 0);
    let mut report = Report::default();
    for x in x.chunks(PIECE) {
        let dy = &dy[..x.len()];
        let mut part = match pass {
            Pass::Forward => {
                let y = match chain.is_random() {
                    true => gpu.forward_with(chain, x, &values)?,
                    false => gpu.forward(chain, x)?,
                };
                Expected::forward_with(chain, x, &values)?.compare(&y)?
            }
            Pass::Backward => {
                let dx = match chain.is_random() {
                    true => gpu.backward_with(chain, x, dy, &values, &[])?.0,
                    false => gpu.backward(chain, x, dy)?,
                };
                Expected::backward_with(chain, x, dy, &values)?.compare(&dx)?
            }
            Pass::BackwardFromY => {
                let dx = gpu.backward_from_y(chain, x, dy)?;
                check::backward_from_y(chain, x, dy, &dx)?
            }
            Pass::DoubleBackward => {
                let [ddy, dx] = gpu.double_backward_with(chain, x, dy, dy, &values)?;
                let [of_dy, of_x] = Expected::double_backward_with(chain, x, dy, dy, &values)?;
                let mut both = of_dy.compare(&ddy)?;
                both.merge(of_x.compare(&dx)?);
                both
            }
        };
        if let Some(worst) = &mut part.worst {
            worst.index += report.compared;
        }
        report.merge(part);
        progress.advance(x.len() as u64);
    }
    if chain.rounds_right(pass, T::DTYPE) {
        report.failed = report.failed.max(report.misrounded.unwrap_or(0));
    }
    Ok(report)
}
