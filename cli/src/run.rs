//! `nonlin run`.

use crate::output::{Progress, complain, dtypes, show, table};
use crate::pending::{Pending, resolve};
use crate::{Failure, Result, Verdict, adapters, npy};
use nonlin::half::{bf16, f16};
use nonlin::{Chain, DType, Element, Gpu, Pass, reference};
use std::path::{Path, PathBuf};

/// Run a chain on .npy files
///
/// Reads f16, f32 and f64, little or big endian, in C or Fortran order. What is not of the dtype is
/// converted to it, which is said on stderr. Arithmetic is f32 whatever the dtype. Results are
/// little-endian, of the dtype and of the same shape and order as x. They appear whole or not at
/// all: when anything goes wrong, the files that were there stay as they were.
///
/// NumPy has no bf16: results of --dtype bf16 are written as f32, which holds their values exactly.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("results").args(["y", "dx"]).required(true).multiple(true)),
    after_help = "\
Examples:
    nonlin run silu --x x.npy --y y.npy
    nonlin run 'scale(0.5) | gelu' --x x.npy --y y.npy --dy dy.npy --dx dx.npy
    nonlin run mish --x x.npy --dy dy.npy --dx dx.npy --cpu
    nonlin run gelu --x x.npy --y y.npy --dtype f16"
)]
pub(crate) struct Args {
    /// The steps, such as 'scale(0.5) | silu | scale(2)'; `nonlin list` shows what there is
    chain: String,
    /// The input
    #[arg(long, value_name = "FILE")]
    x: PathBuf,
    /// Where to write the chain's value
    #[arg(long, value_name = "FILE")]
    y: Option<PathBuf>,
    /// The gradient with respect to y, of the same shape as x
    #[arg(long, value_name = "FILE", requires = "dx")]
    dy: Option<PathBuf>,
    /// Where to write the gradient with respect to x
    #[arg(long, value_name = "FILE", requires = "dy")]
    dx: Option<PathBuf>,
    /// How elements are stored on the device
    #[arg(long, default_value = "f32", value_parser = dtypes())]
    dtype: DType,
    /// Use the first adapter whose description contains this, in upper or lower case
    #[arg(long, value_name = "TEXT", conflicts_with = "cpu")]
    adapter: Option<String>,
    /// Compute the f64 reference on the CPU, rounded once to the dtype; needs no adapter
    #[arg(long)]
    cpu: bool,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    match args.dtype {
        DType::F16 => run_as::<f16>(args),
        DType::BF16 => run_as::<bf16>(args),
        _ => run_as::<f32>(args),
    }
}

fn run_as<T: Element>(args: &Args) -> Result<Verdict> {
    let chain: Chain = args.chain.parse()?;
    if chain.is_random() || !chain.operands().is_empty() {
        let message = "chains with operands (@name) or random steps need the library; this command \
                       has no options for them yet";
        return Err(Failure(message.into()));
    }
    refuse_same_files(args)?;
    let x = read::<T>(&args.x)?;
    let gradient = match (&args.dy, &args.dx) {
        (Some(dy), Some(dx)) => Some((read_like(&x.shape, &args.x, dy)?, dx)),
        _ => None,
    };
    let engine = match args.cpu {
        true => Engine::Cpu,
        false => Engine::Gpu(adapters::open(args.adapter.as_deref())?),
    };

    let passes = u64::from(args.y.is_some()) + u64::from(gradient.is_some());
    let progress = Progress::new(passes * x.data.len() as u64);
    let write = |path: &Path, pass: Pass, dy: Option<&[T]>| -> Result<_> {
        progress.doing(pass.to_string());
        let mut file = Pending::create(path)?;
        file.write(&x.shape.header(T::DTYPE))?;
        for start in (0..x.data.len()).step_by(engine.piece()) {
            let range = start..x.data.len().min(start + engine.piece());
            let dy = dy.map(|dy| &dy[range.clone()]);
            let result = engine.compute(&chain, &x.data[range], dy)?;
            file.write(&npy::bytes(&result))?;
            progress.advance(result.len() as u64);
        }
        let path = path.display().to_string();
        let row = vec![
            path,
            format!("{} {}", x.shape.text(), npy::written_as(T::DTYPE)),
            format!("{pass} of {chain}"),
        ];
        Ok((file, row))
    };
    let mut results = Vec::new();
    if let Some(y) = &args.y {
        results.push(write(y, Pass::Forward, None)?);
    }
    if let Some((dy, dx)) = &gradient {
        results.push(write(dx, Pass::Backward, Some(dy))?);
    }
    drop(progress);

    let mut rows = Vec::new();
    for (file, row) in results {
        file.persist()?;
        rows.push(row);
    }
    show(format!("{}\n{}", engine.name(), table(&rows, 3)))?;
    Ok(Verdict::Fine)
}

/// What computes.
enum Engine {
    Cpu,
    Gpu(Gpu),
}

impl Engine {
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

    fn compute<T: Element>(&self, chain: &Chain, x: &[T], dy: Option<&[T]>) -> Result<Vec<T>> {
        let rounded = |values: Vec<f64>| values.into_iter().map(T::from_f64).collect();
        Ok(match (self, dy) {
            (Engine::Cpu, None) => rounded(reference::forward(chain, x)?),
            (Engine::Cpu, Some(dy)) => rounded(reference::backward(chain, x, dy)?),
            (Engine::Gpu(gpu), None) => gpu.forward(chain, x)?,
            (Engine::Gpu(gpu), Some(dy)) => gpu.backward(chain, x, dy)?,
        })
    }
}

fn read<T: Element>(path: &Path) -> Result<npy::Array<T>> {
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

/// Reads an array that must have the shape of another, and puts it in the same order.
fn read_like<T: Element>(shape: &npy::Shape, of: &Path, path: &Path) -> Result<Vec<T>> {
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
    Ok(array.in_order(shape.order).data)
}

/// A result must not take the place of an input or of the other result.
fn refuse_same_files(args: &Args) -> Result<()> {
    let files = [("--x", Some(&args.x)), ("--dy", args.dy.as_ref())];
    let mut taken: Vec<_> = files
        .into_iter()
        .filter_map(|(option, path)| Some((option, resolve(path?).ok()?)))
        .collect();
    for (option, path) in [("--y", &args.y), ("--dx", &args.dx)] {
        let Some(path) = path else { continue };
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
