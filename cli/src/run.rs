//! `nonlin run`.

mod layer;
mod packed;
mod rows;

use crate::adapters::{self, Kept};
use crate::arguments::{Channels, Named, check_names};
use crate::define::{self, Defined};
use crate::layers::{Given, Known};
use crate::npy::{Array, Order, Shape, Written};
use crate::output::{Progress, complain, dtypes, files, show, table, written};
use crate::pending::{Pending, resolve};
use crate::{Failure, Result, Verdict, npy, subject};
use nonlin::half::{bf16, f16};
use nonlin::{Chain, DType, Element, Gpu, Pass, Values, reference};
use packed::{Arrangement, Packed};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Run a chain, or a layer, on .npy files
///
/// Reads f16, f32 and f64, little or big endian, in C or Fortran order, and as bf16 what NumPy calls
/// V2, which is how ml_dtypes' bfloat16 is saved. What is not of the dtype is
/// converted to it, which is said on stderr. Arithmetic is f32 whatever the dtype. Results are
/// little-endian, of the dtype and of the same shape and order as x. They appear whole or not at
/// all: when anything goes wrong, the files that were there stay as they were.
///
/// NumPy has no bf16: results of --dtype bf16 are written as f32, which holds their values exactly, or
/// with --bf16-as V2 as ml_dtypes' bfloat16 is.
///
/// Each operand of the chain, such as @w, needs a file: --arg w=w.npy. Its shape says whose its
/// values are. With x of N x C x H x W: () or one value, shared; (C,), (C, 1, 1) or (1, C, 1, 1), per channel;
/// (N, C) or (N, C, 1, 1), per sample and channel; (C, H, W), per element of a sample; x's own, per
/// element, which gate and residual mostly have. --channel-axis says which axis is C, where it is not axis 1; N stands for all axes before
/// it. Other shapes are refused, and so are those that NumPy would broadcast in another way, where
/// --channel-axis was not given. Gradients of operands are f32, of the shape and order of their
/// operand's file. With operands or random steps, all has to fit on the device at one time.
///
/// Of a chain with a step over whole rows, such as softmax, these lie along x's last axis, or that of --axis, or of the
/// chain's text, as in 'softmax(axis=1)'. Operands are broadcast to x as NumPy does it: a mask of (N, 1, L, L), a
/// weight of (C,), a sink of (H, 1, 1).
///
/// A layer stands in the place of a chain, alone: frelu, meta_acon, dyrelu_a, dyrelu_b or dyrelu_c.
/// x is images of N x C x H x W, or N x H x W x C with --channel-axis -1. --set changes its settings.
/// --arg gives each of its parameters, of PyTorch's name and shape, such as (C, 1, 3, 3); those of
/// one value per channel may be (C, 1, 1) or (1, C, 1, 1) too, and those of fully connected layers
/// (outputs, inputs, 1, 1). Parameters and their gradients are f32 whatever the dtype. `nonlin list`
/// shows settings and parameters.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("results").args(["y", "dx", "grad", "new"]).required(true).multiple(true)),
    group(clap::ArgGroup::new("backward").args(["dx", "grad"]).multiple(true)),
    override_usage = "nonlin run [OPTIONS] --x <FILE> <CHAIN>
                  <--y <FILE>|--dx <FILE>|--grad <NAME=FILE>|--new <NAME=FILE>>",
    after_help = "\
Examples:
    nonlin run silu --x x.npy --y y.npy
    nonlin run 'scale(0.5) | gelu' --x x.npy --y y.npy --dy dy.npy --dx dx.npy
    nonlin run mish --x x.npy --dy dy.npy --dx dx.npy --cpu
    nonlin run --define my.wgsl 'scale(0.5) | my_act' --x x.npy --y y.npy
    nonlin run gelu --x x.npy --y y.npy --dtype f16
    nonlin run 'prelu(weight=@w)' --x x.npy --arg w=w.npy --dy dy.npy --dx dx.npy --grad w=dw.npy
    nonlin run 'bias(@b) | silu' --x nhwc.npy --arg b=b.npy --channel-axis -1 --y y.npy
    nonlin run swiglu_oai --x x.npy --packed alternating --y y.npy --dy dy.npy --dx dx.npy
    nonlin run 'dropout(0.1) | residual(@r)' --x x.npy --arg r=r.npy --y y.npy --seed 7
    nonlin run 'scale(0.125) | residual(@mask) | softmax' --x x.npy --arg mask=mask.npy --y y.npy
    nonlin run frelu --set kernel=5x3 --set norm=none --x x.npy --arg weight=w.npy --y y.npy
    nonlin run frelu --set norm=none --x nhwc.npy --channel-axis -1 --arg weight=w.npy \\
        --dy dy.npy --dx dx.npy --grad weight=dw.npy
    nonlin run frelu --set norm=train --x x.npy --arg weight=w.npy --arg bn_weight=g.npy \\
        --arg bn_bias=b.npy --arg running_mean=m.npy --arg running_var=v.npy --y y.npy \\
        --new running_mean=new_m.npy --new running_var=new_v.npy"
)]
pub(crate) struct Args {
    /// The steps, such as 'scale(0.5) | silu | scale(2)', or a layer, such as frelu; `nonlin list`
    /// shows what there is
    chain: String,
    #[command(flatten)]
    defined: Defined,
    /// The input
    #[arg(long, value_name = "FILE", value_parser = files())]
    x: PathBuf,
    /// Where to write the value
    #[arg(long, value_name = "FILE", value_parser = files())]
    y: Option<PathBuf>,
    /// The gradient with respect to y, of the same shape as x
    #[arg(long, value_name = "FILE", value_parser = files(), requires = "backward")]
    dy: Option<PathBuf>,
    /// Where to write the gradient with respect to x
    #[arg(long, value_name = "FILE", value_parser = files(), requires = "dy")]
    dx: Option<PathBuf>,
    /// The values of the operand @NAME, or of a layer's parameter; once for each
    #[arg(long, value_name = "NAME=FILE", value_parser = Named::parse)]
    arg: Vec<Named>,
    /// Where to write the gradient with respect to the operand @NAME, or a layer's parameter; once for
    /// each wanted
    #[arg(long, value_name = "NAME=FILE", value_parser = Named::parse, requires = "dy")]
    grad: Vec<Named>,
    /// x and the chain's gate are packed along the last axis of x's file; --dx's file then has the
    /// gradients of both, packed in the same way
    #[arg(long, value_name = "HOW", value_enum)]
    packed: Option<Arrangement>,
    /// A setting of the layer, such as kernel=3x1; once for each
    #[arg(long, value_name = "KEY=VALUE", value_parser = Given::parse)]
    set: Vec<Given>,
    /// Where to write a running statistic of the layer as it is after this step of training, which
    /// needs --set norm=train; once for each wanted
    #[arg(long, value_name = "NAME=FILE", value_parser = Named::parse)]
    new: Vec<Named>,
    /// The axis of x that operands have a value for each index of, and that of a layer's channels;
    /// negative ones count from the end [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    channel_axis: Option<i64>,
    /// The axis that rows lie along, of softmax and other steps over whole rows; negative ones count from the end
    /// [default: -1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    axis: Option<i64>,
    /// What dropout and rrelu draw depends on the seed, the offset and an element's place in C order
    /// [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The k-th random step takes this offset + k: the next use of a seed begins behind
    /// [default: 0]
    #[arg(long, value_name = "N")]
    offset: Option<u64>,
    /// Evaluate as after training: without dropout, and with the mean slope for rrelu
    #[arg(long, conflicts_with_all = ["seed", "offset"])]
    eval: bool,
    /// How elements are stored on the device
    #[arg(long, default_value = "f32", value_parser = dtypes())]
    dtype: DType,
    /// How results of --dtype bf16 are written [default: f32]
    #[arg(long, value_name = "TYPE", value_parser = written())]
    bf16_as: Option<Written>,
    /// Use the first adapter whose description contains this, in upper or lower case
    #[arg(long, value_name = "TEXT", conflicts_with = "cpu")]
    adapter: Option<String>,
    #[command(flatten)]
    kept: Kept,
    /// Compute the f64 reference on the CPU, rounded once to the dtype; needs no adapter
    #[arg(long)]
    cpu: bool,
}

impl Args {
    /// How y and dx are written.
    fn written(&self) -> Written {
        self.bf16_as.unwrap_or_else(|| Written::of(self.dtype))
    }
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    if args.bf16_as.is_some() && args.dtype != DType::BF16 {
        return Err(Failure(format!(
            "--bf16-as is for --dtype bf16; the dtype is {}",
            args.dtype
        )));
    }
    match args.dtype {
        DType::F16 => run_as::<f16>(args),
        DType::BF16 => run_as::<bf16>(args),
        _ => run_as::<f32>(args),
    }
}

/// The chain; what is to be known of its reference is said where that is computed.
fn read_chain(args: &Args) -> Result<Chain> {
    let chain = subject::chain(&args.chain, "run", &args.defined.read()?)?;
    if args.cpu {
        define::say(&chain);
    }
    Ok(chain)
}

fn run_as<T: Element>(args: &Args) -> Result<Verdict> {
    if let Some(known) = Known::by_name(args.chain.trim()) {
        return layer::run::<T>(args, known);
    }
    let chain = read_chain(args)?;
    let gate = args.packed.map(|_| Packed::gate(&chain, &args.arg));
    let gate = gate.transpose()?;
    refuse(args, &chain, gate)?;
    let evaluated = chain.evaluation();
    let chain = if args.eval { &evaluated } else { &chain };
    let x = read::<T>(&args.x)?;
    // Channels and random numbers go by an element's place in C order, and by that in all of x.
    let whole = chain.is_random() || !chain.operands().is_empty() || chain.row().is_some();
    let order = if whole { Order::C } else { x.shape.order };
    let (shape, x, packed, gate) = match args.packed.zip(gate) {
        None => (x.shape.clone(), x.in_order(order).data, None, Vec::new()),
        Some((how, name)) => {
            let (packed, x, gate) = Packed::split(how, name, &args.x, x)?;
            (packed.half(), x, Some(packed), gate)
        }
    };
    let (mut values, operands) = read_operands::<T>(args, chain, &shape)?;
    if let Some(packed) = &packed {
        values = values.arg(packed.gate, &gate);
    }
    let dy = match &args.dy {
        Some(dy) => Some(read_like::<T>(&shape, &args.x, dy)?.in_order(order).data),
        None => None,
    };
    let engine = Engine::new(args)?;
    let piece = if whole {
        x.len().max(1)
    } else {
        engine.piece()
    };
    let passes = u64::from(args.y.is_some()) + u64::from(dy.is_some());
    let progress = Progress::new(passes * x.len() as u64);
    let work = Work {
        args,
        chain,
        packed: packed.as_ref(),
        engine: &engine,
        x: &x,
        shape: &shape,
        order,
        values: &values,
        operands: &operands,
        piece,
        progress: &progress,
    };
    let mut results = Vec::new();
    if let Some(y) = &args.y {
        results.extend(work.compute(Pass::Forward, Some(y), None)?);
    }
    if let Some(dy) = &dy {
        results.extend(work.compute(Pass::Backward, args.dx.as_ref(), Some(dy))?);
    }
    drop(progress);
    keep(&engine, results)
}

/// A chain, and what it is computed of.
struct Work<'a, T> {
    args: &'a Args,
    chain: &'a Chain,
    packed: Option<&'a Packed<'a>>,
    engine: &'a Engine,
    x: &'a [T],
    /// Of x's file.
    shape: &'a Shape,
    /// Of the elements in x.
    order: Order,
    values: &'a Values,
    /// The shapes of operands' files, by name.
    operands: &'a HashMap<&'a str, Shape>,
    /// Elements computed at one time.
    piece: usize,
    progress: &'a Progress,
}

impl<T: Element> Work<'_, T> {
    /// A pass's results on their way to their files: y or dx at the path, if there is one, and backward the gradients
    /// that were asked for.
    fn compute(&self, pass: Pass, path: Option<&PathBuf>, dy: Option<&[T]>) -> Result<Vec<Output>> {
        let Work { args, chain, x, .. } = *self;
        self.progress.doing(pass.to_string());
        let what = format!("{pass} of {chain}");
        let (mut gradients, mut names) = (Vec::new(), Vec::new());
        // The gradients of a packed tensor's parts come together.
        let packed = self
            .packed
            .filter(|_| pass == Pass::Backward && path.is_some());
        names.extend(packed.map(|packed| packed.gate));
        let shape = packed.map_or(self.shape, |packed| &packed.shape);
        let mut result = path
            .map(|path| Output::create(path, shape, args.written(), what))
            .transpose()?;
        for Named { name, path } in args.grad.iter().filter(|_| pass == Pass::Backward) {
            let what = format!("gradient of @{name} in {chain}");
            let shape = &self.operands[name.as_str()];
            gradients.push(Output::create(path, shape, Written::F32, what)?);
            names.push(name.as_str());
        }
        // An x without elements is one piece of none: there may be gradients all the same.
        for start in (0..x.len().max(1)).step_by(self.piece) {
            let range = start..x.len().min(start.saturating_add(self.piece));
            let dy = dy.map(|dy| &dy[range.clone()]);
            let x = &x[range.clone()];
            let (mut computed, sums) = self.engine.compute(chain, x, dy, self.values, &names)?;
            let mut sums = sums.into_iter();
            if let Some(packed) = packed {
                computed = packed.join(&computed, &sums.next().unwrap_or_default());
            }
            if let Some(result) = &mut result {
                result.write(computed, self.order)?;
            }
            for (gradient, sums) in gradients.iter_mut().zip(sums) {
                gradient.write(sums, Order::C)?;
            }
            self.progress.advance(range.len() as u64);
        }
        Ok(result.into_iter().chain(gradients).collect())
    }
}

/// Puts all results in their files' places, and says what they are.
fn keep(engine: &Engine, results: Vec<Output>) -> Result<Verdict> {
    let mut rows = Vec::new();
    for result in results {
        result.file.persist()?;
        rows.push(result.row);
    }
    show(format!("{}\n{}", engine.name(), table(&rows, 3)))?;
    Ok(Verdict::Fine)
}

/// A result on its way to its file.
struct Output {
    file: Pending,
    shape: Shape,
    written: Written,
    /// What is told of it.
    row: Vec<String>,
}

impl Output {
    fn create(path: &Path, shape: &Shape, written: Written, what: String) -> Result<Self> {
        let mut file = Pending::create(path)?;
        file.write(&shape.header(written))?;
        let kind = format!("{} {}", shape.text(), written.name());
        Ok(Output {
            file,
            shape: shape.clone(),
            written,
            row: vec![path.display().to_string(), kind, what],
        })
    }

    /// Writes all elements, which are in some order, or the next ones in that of the file.
    fn write<T: Element>(&mut self, data: Vec<T>, order: Order) -> Result<()> {
        let array = Array {
            shape: Shape {
                dimensions: self.shape.dimensions.clone(),
                order,
            },
            data,
            converted: None,
        };
        let array = array.in_order(self.shape.order);
        self.file.write(&self.written.bytes(&array.data))
    }
}

/// What computes.
enum Engine {
    Cpu,
    Gpu(Gpu),
}

impl Engine {
    fn new(args: &Args) -> Result<Self> {
        Ok(match args.cpu {
            true => Engine::Cpu,
            false => Engine::Gpu(adapters::open_kept(args.adapter.as_deref(), &args.kept)?),
        })
    }

    fn name(&self) -> String {
        match self {
            Engine::Cpu => "the f64 reference on the CPU".into(),
            Engine::Gpu(gpu) => adapters::name(gpu),
        }
    }

    /// Elements computed at one time: enough to keep a device busy, little enough for progress.
    fn piece(&self) -> usize {
        match self {
            Engine::Cpu => 1 << 20,
            Engine::Gpu(_) => 1 << 24,
        }
    }

    /// y; or, where there is dy, dx and the gradients of operands.
    fn compute<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: Option<&[T]>,
        values: &Values,
        gradients: &[&str],
    ) -> Result<(Vec<T>, Vec<Vec<f32>>)> {
        Ok(match (self, dy) {
            (Engine::Cpu, None) => {
                let y = reference::forward_with(chain, x, values)?;
                (rounded(&y), Vec::new())
            }
            (Engine::Cpu, Some(dy)) => {
                let dx = reference::backward_with(chain, x, dy, values)?;
                let gradient = |name: &&str| reference::gradient(chain, x, dy, values, name);
                let sums = gradients.iter().map(|name| Ok(rounded(&gradient(name)?)));
                (rounded(&dx), sums.collect::<Result<_>>()?)
            }
            (Engine::Gpu(gpu), None) => (gpu.forward_with(chain, x, values)?, Vec::new()),
            (Engine::Gpu(gpu), Some(dy)) => gpu.backward_with(chain, x, dy, values, gradients)?,
        })
    }
}

/// Values, rounded once.
fn rounded<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().copied().map(T::from_f64).collect()
}

fn read<T: Element>(path: &Path) -> Result<Array<T>> {
    let array = npy::read(path)?;
    if let Some(held) = array.converted {
        complain(&format!(
            "note: {} holds {held}; it is converted to {}",
            path.display(),
            T::DTYPE
        ));
    }
    Ok(array)
}

/// Reads an array that must have the shape of another.
fn read_like<T: Element>(shape: &Shape, of: &Path, path: &Path) -> Result<Array<T>> {
    let array = read(path)?;
    if array.shape.dimensions != shape.dimensions {
        return Err(Failure(format!(
            "{} has the shape {} but {} has {}; they must agree",
            of.display(),
            shape.text(),
            path.display(),
            array.shape.text(),
        )));
    }
    Ok(array)
}

/// Reads the chain's operands: all that it needs beside x and dy, and the shapes of their files by name.
fn read_operands<'a, T: Element>(
    args: &'a Args,
    chain: &Chain,
    x: &Shape,
) -> Result<(Values, HashMap<&'a str, Shape>)> {
    let (seed, offset) = (args.seed.unwrap_or(0), args.offset.unwrap_or(0));
    let mut values = Values::new().random(seed, offset);
    let mut shapes = HashMap::new();
    if args.arg.is_empty() && chain.row().is_none() {
        return Ok((values, shapes));
    }
    let arrays = args
        .arg
        .iter()
        .map(|named| Ok((named, read::<T>(&named.path)?)));
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    if chain.row().is_some() {
        return rows::with_operands(args, chain, x, values, arrays);
    }
    let given = arrays.iter().map(|(_, array)| &array.shape.dimensions[..]);
    let channels = Channels::new(&x.dimensions, &args.x, args.channel_axis)?;
    let channels = channels.with_samples(&given.collect::<Vec<_>>());
    if let Some(layout) = channels.layout() {
        values = values.layout(layout);
    }
    for (named, array) in arrays {
        channels.check(named, &array.shape.dimensions)?;
        shapes.insert(named.name.as_str(), array.shape.clone());
        values = values.arg(&named.name, &array.in_order(Order::C).data);
    }
    Ok((values, shapes))
}

/// Refuses options that say nothing of this chain: what they are meant for, it does not do.
fn refuse_useless(args: &Args, chain: &Chain) -> Result<()> {
    for (option, given) in [
        ("--set", !args.set.is_empty()),
        ("--new", !args.new.is_empty()),
    ] {
        if given {
            return Err(Failure(format!(
                "{option} is for layers, such as frelu; {chain} is a chain"
            )));
        }
    }
    let draws = chain.is_random();
    let has_operands = !chain.operands().is_empty();
    let options = [
        ("--seed", args.seed.is_some() && !draws, "dropout or rrelu"),
        ("--eval", args.eval && !draws, "dropout or rrelu"),
        (
            "--offset",
            args.offset.is_some() && !draws,
            "dropout or rrelu",
        ),
        (
            "--channel-axis",
            args.channel_axis.is_some() && !has_operands,
            "operands (@name)",
        ),
    ];
    match options.iter().find(|(_, useless, _)| *useless) {
        None => Ok(()),
        Some((option, _, what)) => Err(Failure(format!(
            "{option} is for chains with {what}; {chain} has none"
        ))),
    }
}

/// Refuses what can be seen to be wrong before files are read.
fn refuse(args: &Args, chain: &Chain, gate: Option<&str>) -> Result<()> {
    check_names(chain, &args.arg, &args.grad, gate)?;
    refuse_packed(args, gate)?;
    rows::refuse(args, chain)?;
    refuse_useless(args, chain)?;
    refuse_same_files(args)
}

/// The gradient of an operand that is packed with x is in the same file as that of x.
fn refuse_packed(args: &Args, gate: Option<&str>) -> Result<()> {
    match args
        .grad
        .iter()
        .find(|named| Some(named.name.as_str()) == gate)
    {
        None => Ok(()),
        Some(Named { name, .. }) => Err(Failure(format!(
            "--grad {name}: @{name} is packed with x, and so is its gradient, in the file of --dx"
        ))),
    }
}

/// A result must not take the place of an input or of another result.
fn refuse_same_files(args: &Args) -> Result<()> {
    fn named<'a>(option: &str, files: &'a [Named]) -> Vec<(String, &'a PathBuf)> {
        let files = files.iter();
        files
            .map(|Named { name, path }| (format!("{option} {name}"), path))
            .collect()
    }
    let mut inputs = vec![("--x".to_owned(), &args.x)];
    inputs.extend(args.dy.iter().map(|path| ("--dy".into(), path)));
    inputs.extend(named("--arg", &args.arg));
    let mut results = Vec::new();
    results.extend(args.y.iter().map(|path| ("--y".into(), path)));
    results.extend(args.dx.iter().map(|path| ("--dx".into(), path)));
    results.extend(named("--grad", &args.grad));
    results.extend(named("--new", &args.new));

    let mut taken: Vec<_> = inputs
        .into_iter()
        .filter_map(|(option, path)| Some((option, resolve(path).ok()?)))
        .collect();
    for (option, path) in results {
        // One that cannot be resolved cannot be written either, which is found out later.
        let Ok(resolved) = resolve(path) else {
            continue;
        };
        if let Some((other, _)) = taken.iter().find(|(_, taken)| *taken == resolved) {
            let path = path.display();
            return Err(Failure(format!(
                "{option} and {other} are the same file, {path}"
            )));
        }
        taken.push((option, resolved));
    }
    Ok(())
}
