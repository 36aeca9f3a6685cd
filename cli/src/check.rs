//! `nonlin check`.

use crate::output::{Progress, dtypes, number, short, show, show_json, table};
use crate::{Result, Verdict, adapters};
use nonlin::check::{self, Finding, Report};
use nonlin::half::{bf16, f16};
use nonlin::{Activation, Chain, DType, Element, Gpu, Pass};
use serde_json::{Value, json};
use std::fmt::Write;

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
    nonlin check --adapter swiftshader --json")]
pub(crate) struct Args {
    /// The chain to check; every activation by itself, if none is given
    chain: Option<String>,
    /// How elements are stored on the device
    #[arg(long, default_value = "f32", value_parser = dtypes())]
    dtype: DType,
    /// Use the first adapter whose description contains this, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    adapter: Option<String>,
    /// Check about this many inputs of f32
    #[arg(long, default_value_t = 200_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1 << 28))]
    count: u32,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// Elements compared at one time.
const PIECE: usize = 1 << 16;

struct Checked {
    chain: Chain,
    pass: Pass,
    report: Report,
}

pub(crate) fn check(args: &Args) -> Result<Verdict> {
    let chains = match &args.chain {
        Some(text) => vec![text.parse()?],
        None => Activation::ALL
            .iter()
            .copied()
            .map(Chain::from)
            .collect::<Vec<_>>(),
    };
    let gpu = adapters::open(args.adapter.as_deref())?;
    let name = adapters::name(&gpu);
    let compare = match args.dtype {
        DType::F16 => compare::<f16>,
        DType::BF16 => compare::<bf16>,
        _ => compare::<f32>,
    };
    let checked = compare(&gpu, chains, args.count as usize)?;
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

fn compare<T: Element>(gpu: &Gpu, chains: Vec<Chain>, count: usize) -> Result<Vec<Checked>> {
    let count = match T::DTYPE {
        DType::F32 => count,
        _ => 1 << 16,
    };
    let progress = Progress::new((chains.len() * Pass::ALL.len() * count) as u64);
    let mut all = Vec::new();
    for chain in chains {
        let x = inputs::<T>(&chain, count);
        let dy = [T::from_f64(1.0); PIECE];
        for pass in Pass::ALL {
            progress.doing(format!("{chain} {pass}"));
            let mut report = Report::default();
            for x in x.chunks(PIECE) {
                let dy = &dy[..x.len()];
                let mut part = match pass {
                    Pass::Forward => check::forward(&chain, x, &gpu.forward(&chain, x)?)?,
                    Pass::Backward => {
                        check::backward(&chain, x, dy, &gpu.backward(&chain, x, dy)?)?
                    }
                };
                if let Some(worst) = &mut part.worst {
                    worst.index += report.compared;
                }
                report.merge(part);
                progress.advance(x.len() as u64);
            }
            all.push(Checked {
                chain: chain.clone(),
                pass,
                report,
            });
        }
    }
    Ok(all)
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
