//! `nonlin check`.

use crate::exhaustive::{self, Adapter, Table};
use crate::output::{Progress, dtypes, number, short, show, show_json, table};
use crate::{Failure, Result, Verdict, adapters};
use nonlin::check::{self, Finding, Report};
use nonlin::half::{bf16, f16};
use nonlin::{Activation, Chain, DType, Element, Gpu, Pass};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Compare the GPU's values and derivatives with the f64 reference
///
/// Inputs cover all of f32: every magnitude, both signs, infinities and NaN, and the neighbourhood
/// of every point where a formula changes; of f16 and bf16, they are all 65,536. ULP are those of
/// the dtype. The worst element decides. Exits with 1 if any element's error is more than is allowed
/// to it.
///
/// --json prints {"adapter", "dtype", "passed", "results": [{"chain", "pass", "compared", "failed",
/// "passed", "worst"}]}. worst is the element nearest to, or furthest over, what is allowed:
/// {"index", "x", "dy", "got", "want", "ulp", "allowed"}; null if all are exact. Numbers that JSON
/// does not have are the strings "nan", "inf" and "-inf".
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
    nonlin check
    nonlin check 'scale(0.5) | silu | scale(2)' --count 10000000
    nonlin check gelu --dtype f16
    nonlin check --adapter swiftshader --json
    nonlin check --exhaustive silu
    nonlin check --exhaustive --adapter vulkan --adapter gl --out accuracy.md")]
pub(crate) struct Args {
    /// The chains to check; every activation by itself, if none is given
    #[arg(value_name = "CHAIN")]
    chains: Vec<String>,
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
    /// Walk all 2^32 inputs of f32, which takes a minute or some for each chain and adapter
    #[arg(long, conflicts_with = "dtype")]
    exhaustive: bool,
    /// Write the table of --exhaustive to a Markdown file, after each chain. Rows of the same
    /// adapters that are there already are kept
    #[arg(long, value_name = "FILE", requires = "exhaustive")]
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

struct Checked {
    chain: Chain,
    pass: Pass,
    report: Report,
}

pub(crate) fn check(args: &Args) -> Result<Verdict> {
    let parsed = args.chains.iter().map(|text| Ok(text.parse()?));
    let mut chains: Vec<Chain> = parsed.collect::<Result<_>>()?;
    if chains.is_empty() {
        chains.extend(Activation::ALL.iter().copied().map(Chain::from));
    }
    if args.exhaustive {
        return walk(args, chains);
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
    let gpu = adapters::open(args.adapter.first().map(String::as_str))?;
    let name = adapters::name(&gpu);
    let compare = match args.dtype {
        DType::F16 => compare::<f16>,
        DType::BF16 => compare::<bf16>,
        _ => compare::<f32>,
    };
    let checked = compare(&gpu, &chains, args.count.unwrap_or(COUNT) as usize)?;
    let passed = passed(&checked);
    if args.json {
        let results: Vec<_> = checked.iter().map(Checked::json).collect();
        show_json(&json!({
            "adapter": name,
            "dtype": args.dtype.name(),
            "passed": passed,
            "results": results,
        }))?;
    } else {
        let title = format!("{} on {name}", args.dtype);
        show(text(&title, &checked))?;
    }
    Ok(if passed {
        Verdict::Fine
    } else {
        Verdict::CheckFailed
    })
}

/// `check --exhaustive`.
fn walk(args: &Args, chains: Vec<Chain>) -> Result<Verdict> {
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
    let chains: Vec<_> = chains
        .into_iter()
        .map(|c| (c.clone(), budget(&c)))
        .collect();
    let peer = args.peer.as_deref();
    let mut table = Table::new(&opened, peer)?;
    if let Some(path) = &args.out {
        table.resume(path)?;
    }
    let mut passed = true;
    exhaustive::walk(&opened, peer, &chains, |row| {
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

fn passed(checked: &[Checked]) -> bool {
    checked.iter().all(|checked| checked.report.passes())
}

/// The inputs on which a chain is checked: about `count` of f32, all of a dtype of 16 bits.
fn inputs<T: Element>(chain: &Chain, count: usize) -> Vec<T> {
    match T::DTYPE {
        DType::F32 => bytemuck::cast_slice(&check::inputs(chain, count)).to_vec(),
        _ => bytemuck::cast_slice(&(0..=u16::MAX).collect::<Vec<_>>()).to_vec(),
    }
}

fn compare<T: Element>(gpu: &Gpu, chains: &[Chain], count: usize) -> Result<Vec<Checked>> {
    let count = match T::DTYPE {
        DType::F32 => count,
        _ => 1 << 16,
    };
    let all: Vec<_> = chains
        .iter()
        .flat_map(|chain| Pass::ALL.map(|pass| (chain, pass)))
        .filter(|(chain, pass)| chain.supports(*pass).is_ok())
        .collect();
    let progress = Progress::new((all.len() * count) as u64);
    let mut done = Vec::new();
    for (chain, pass) in all {
        let mut x = inputs::<T>(chain, count);
        if pass == Pass::BackwardFromY {
            // The values that there are.
            let y = nonlin::reference::forward(chain, &x)?;
            x = y.into_iter().map(T::from_f64).collect();
        }
        let dy = [T::from_f64(1.0); PIECE];
        progress.doing(format!("{chain} {pass}"));
        let mut report = Report::default();
        for x in x.chunks(PIECE) {
            let dy = &dy[..x.len()];
            let mut part = match pass {
                Pass::Forward => check::forward(chain, x, &gpu.forward(chain, x)?)?,
                Pass::Backward => check::backward(chain, x, dy, &gpu.backward(chain, x, dy)?)?,
                Pass::BackwardFromY => {
                    let dx = gpu.backward_from_y(chain, x, dy)?;
                    check::backward_from_y(chain, x, dy, &dx)?
                }
            };
            if let Some(worst) = &mut part.worst {
                worst.index += report.compared;
            }
            report.merge(part);
            progress.advance(x.len() as u64);
        }
        done.push(Checked {
            chain: chain.clone(),
            pass,
            report,
        });
    }
    Ok(done)
}

fn text(title: &str, checked: &[Checked]) -> String {
    let titles = [
        "chain",
        "pass",
        "",
        "compared",
        "worst ULP",
        "allowed there",
        "at x",
    ];
    let mut rows = vec![titles.map(String::from).to_vec()];
    rows.extend(checked.iter().map(Checked::row));
    let mut text = format!("{title}\n{}", table(&rows, 3));
    for Checked {
        chain,
        pass,
        report,
    } in checked.iter().filter(|c| !c.report.passes())
    {
        let Report {
            failed,
            compared,
            worst,
        } = report;
        _ = write!(text, "{chain} {pass}: {failed} of {compared} elements fail");
        if let Some(worst) = worst {
            _ = write!(text, "; worst: {worst}");
        }
        text.push('\n');
    }
    text
}

impl Checked {
    fn row(&self) -> Vec<String> {
        let Report {
            compared, worst, ..
        } = &self.report;
        let verdict = if self.report.passes() { "pass" } else { "FAIL" };
        let mut row = vec![
            self.chain.to_string(),
            self.pass.to_string(),
            verdict.into(),
            compared.to_string(),
        ];
        row.extend(match worst {
            Some(w) => [
                format!("{:.2}", w.ulp),
                format!("{:.2}", w.allowed),
                short(w.x),
            ],
            None => ["0.00", "-", "-"].map(String::from),
        });
        row
    }

    fn json(&self) -> Value {
        json!({
            "chain": self.chain.to_string(),
            "pass": self.pass.to_string(),
            "compared": self.report.compared,
            "failed": self.report.failed,
            "passed": self.report.passes(),
            "worst": self.report.worst.as_ref().map(finding),
        })
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "index": finding.index,
        "x": number(finding.x.into()),
        "dy": finding.dy.map(|dy| number(dy.into())),
        "got": number(finding.got.into()),
        "want": number(finding.want),
        "ulp": number(finding.ulp),
        "allowed": number(finding.allowed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(chain: &str, x: &[f32], y: &[f32]) -> Checked {
        let chain: Chain = chain.parse().unwrap();
        let report = check::forward(&chain, x, y).unwrap();
        Checked {
            chain,
            pass: Pass::Forward,
            report,
        }
    }

    #[test]
    fn a_failure_is_told_in_full() {
        let all = [
            checked("relu", &[1.0], &[1.0]),
            checked("silu", &[1.0, 0.0], &[0.75, f32::NAN]),
        ];
        assert!(passed(&all[..1]) && !passed(&all));
        let text = text("f32 on adapter", &all);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "f32 on adapter");
        assert!(
            lines[2].starts_with("relu   forward  pass         1       0.00"),
            "{text}"
        );
        assert!(
            lines[3].starts_with("silu   forward  FAIL         2        inf"),
            "{text}"
        );
        let worst = "silu forward: 2 of 2 elements fail; worst: x[1] = 0e0 (0x00000000): got NaN";
        assert!(lines[4].starts_with(worst), "{text}");
    }

    #[test]
    fn json_has_no_number_for_nan() {
        let document = checked("silu", &[1.0], &[f32::NAN]).json();
        assert_eq!(document["passed"], false);
        assert_eq!(document["worst"]["got"], "nan");
        assert_eq!(document["worst"]["ulp"], "inf");
        assert_eq!(document["worst"]["x"], 1.0);
    }
}
