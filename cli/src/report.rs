//! `nonlin report`.

mod document;
mod markdown;

use crate::check::everywhere;
use crate::output::{Progress, complain, files, show};
use crate::pending::Pending;
use crate::{Failure, Result, Verdict, adapters, bench};
use document::{Check, Document};
pub(crate) use document::{Row, Speed, digits};
use nonlin::half::{bf16, f16};
use nonlin::{Activation, Chain, Element, Gpu, Pass};
use std::path::PathBuf;

/// Write what this machine's adapter can do as one document: what it is, checks, speed
///
/// Every activation is checked, forward and backward, in f32, f16 and bf16, on the inputs of `nonlin
/// check`; then every activation and some chains are timed in f32, each beside a plain copy, as
/// `nonlin bench` does it. A short form of the result is printed as Markdown; --out writes all of it as JSON,
/// which is what docs/ADAPTERS.md of nonlin's repository collects. It says nothing of the machine beside the adapter, its
/// driver, the operating system and the architecture.
///
/// Exits with 1 if a check failed; the report is written all the same.
///
/// The document is {"schema": 1, "nonlin", "made", "by", "system", "adapter": {"name", "backend", "driver",
/// "vendor", "kind", "software"}, "checks": [{"chain", "pass", "dtype", "compared", "wrong", "misrounded",
/// "worst_ulp", "allowed_ulp", "at"}], "speed": {"elements", "clock", "copy_ns", "rows": [{"chain", "pass", "dtype",
/// "ns", "copy", "unfused_ns"}]}}. misrounded is null for f32. worst_ulp, allowed_ulp and at (its x) are of the
/// element nearest to, or furthest over, what is allowed; worst_ulp is 0 if all are exact, and null if it is infinite.
/// Times are nanoseconds an element, medians; copy is the time over that of a plain copy of the same bytes; clock is
/// "timestamps" or "host". speed is null with --no-speed.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
    nonlin report
    nonlin report --out my-adapter.json
    nonlin report --adapter nvidia --quick --json
    nonlin report --table docs/adapters/*.json")]
pub(crate) struct Args {
    /// Use the first adapter whose description contains this, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    adapter: Option<String>,
    /// Write the document to a file; with --table, the table
    #[arg(long, value_name = "FILE", value_parser = files())]
    out: Option<PathBuf>,
    /// Take a minute or two less: a tenth of the inputs of f32, a sixteenth of the elements, fewer samples
    #[arg(long)]
    quick: bool,
    /// Check, and time nothing
    #[arg(long)]
    no_speed: bool,
    /// Print the JSON document, not its short form
    #[arg(long)]
    json: bool,
    /// Measure nothing: print a Markdown table of reports that are files already
    #[arg(long, value_name = "FILE", num_args = 1.., value_parser = files())]
    #[arg(conflicts_with_all = ["adapter", "quick", "no_speed", "json"])]
    table: Vec<PathBuf>,
}

/// How much is done: inputs of f32, elements that are timed, samples of each variant.
struct Effort {
    inputs: usize,
    elements: u64,
    samples: u32,
}

const FULL: Effort = Effort {
    inputs: 200_000,
    elements: 1 << 24,
    samples: 7,
};

const QUICK: Effort = Effort {
    inputs: 20_000,
    elements: 1 << 20,
    samples: 5,
};

pub(crate) fn report(args: &Args) -> Result<Verdict> {
    if !args.table.is_empty() {
        return table(args);
    }
    // Before the minutes that the rest takes.
    let pending = args.out.as_deref().map(Pending::create).transpose()?;
    let effort = if args.quick { QUICK } else { FULL };
    let gpu = adapters::open_timed(args.adapter.as_deref())?;
    let info = gpu.device().adapter_info();
    let mut document = Document::new(&info);
    document.checks = checks(&gpu, effort.inputs);
    let (mut wrong, mut unable) = (Vec::new(), None);
    if !args.no_speed {
        match bench::figures(&gpu, effort.elements, effort.samples) {
            Ok((speed, messages)) => (document.speed, wrong) = (Some(speed), messages),
            Err(failure) => unable = Some(failure),
        }
    }
    wrong.iter().for_each(|wrong| complain(wrong));
    let text = document.print()?;
    if let Some(mut pending) = pending {
        pending.write(text.as_bytes())?;
        pending.persist()?;
    }
    match args.json {
        true => show(text)?,
        false => show(markdown::short(&document))?,
    }
    if args.out.is_none() && !args.json {
        let name = file_name(&document);
        complain(&format!(
            "this is the short form; --out {name} writes all of it"
        ));
    }
    match unable {
        Some(Failure(message)) => Err(Failure(format!("nothing was timed: {message}"))),
        None if document.passes() && wrong.is_empty() => Ok(Verdict::Fine),
        None => Ok(Verdict::CheckFailed),
    }
}

/// `report --table`.
fn table(args: &Args) -> Result<Verdict> {
    let pending = args.out.as_deref().map(Pending::create).transpose()?;
    let documents = args.table.iter().map(|path| Document::read(path));
    let documents = documents.collect::<Result<Vec<_>>>()?;
    let text = markdown::table(documents);
    match pending {
        Some(mut pending) => {
            pending.write(text.as_bytes())?;
            pending.persist()?;
        }
        None => show(text)?,
    }
    Ok(Verdict::Fine)
}

/// Every activation, both passes, every dtype.
fn checks(gpu: &Gpu, inputs: usize) -> Vec<Check> {
    let each = inputs.max(1 << 16) as u64 * 3 * Pass::FROM_X.len() as u64;
    let progress = Progress::new(each * Activation::ALL.len() as u64);
    let mut all = Vec::new();
    for activation in Activation::ALL {
        for pass in Pass::FROM_X {
            all.push(checked::<f32>(gpu, activation, pass, inputs, &progress));
            all.push(checked::<f16>(gpu, activation, pass, inputs, &progress));
            all.push(checked::<bf16>(gpu, activation, pass, inputs, &progress));
        }
    }
    all
}

/// A kernel that the device refuses is no reason to leave the others unchecked.
fn checked<T: Element>(
    gpu: &Gpu,
    activation: &Activation,
    pass: Pass,
    inputs: usize,
    progress: &Progress,
) -> Check {
    // With its defaults, a name says all.
    let (text, way) = (activation.name().to_owned(), pass.to_string());
    progress.doing(format!("{text} {pass} {}", T::DTYPE));
    match everywhere::<T>(gpu, &Chain::from(*activation), pass, inputs, 0, progress) {
        Ok(report) => Check::new(text, way, T::DTYPE, &report),
        Err(Failure(message)) => {
            complain(&format!("{text} {pass} {}: {message}", T::DTYPE));
            Check::of_nothing(text, way, T::DTYPE)
        }
    }
}

/// A name for the file, of the adapter's words and its backend.
fn file_name(document: &Document) -> String {
    let adapter = &document.adapter;
    let name = adapter.name.split(" (").next().unwrap_or_default();
    let words = format!("{name} {}", adapter.backend).to_lowercase();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("{}.json", words.join("-"))
}
