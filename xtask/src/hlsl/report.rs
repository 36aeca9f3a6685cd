//! What is said of two compilers' work.

use std::fmt::Write;

use super::compile::Outcome;
use super::{Found, Kernel};

/// Kernels in a list of the slowest.
const SLOWEST: usize = 10;

/// Milliseconds above which a kernel is a fault to mend: the time passes when an application first asks for it.
const TOO_SLOW: f64 = 2000.0;

/// How many passed, and the slowest, for each compiler.
pub(super) fn table(kernels: &[Kernel], all: &[Found]) -> String {
    let mut text = String::new();
    _ = writeln!(
        text,
        "{:<14}{:>8}{:>8}{:>10}{:>12}{:>12}",
        "compiler", "kernels", "passed", "total s", "median ms", "longest ms"
    );
    for Found { compiler, outcomes } in all {
        let name = format!("{} {}", compiler.name, compiler.target);
        let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
        let times = by_time(outcomes);
        let at = |index: usize| {
            times
                .get(index)
                .map_or(0.0, |(_, outcome)| outcome.milliseconds)
        };
        let total: f64 = outcomes.iter().map(|outcome| outcome.milliseconds).sum();
        let (median, longest) = (at(times.len() / 2), at(0));
        let total = total / 1000.0;
        _ = writeln!(
            text,
            "{name:<14}{:>8}{passed:>8}{total:>10.1}{median:>12.0}{longest:>12.0}",
            outcomes.len()
        );
    }
    for Found { compiler, outcomes } in all {
        _ = writeln!(
            text,
            "\nthe slowest in {}:\n{:>8}{:>9}",
            compiler.name, "ms", "bytes"
        );
        let times = by_time(outcomes).into_iter();
        for (index, outcome) in times.take(SLOWEST) {
            _ = writeln!(text, "{}", row(&kernels[index], outcome));
        }
        let slow = by_time(outcomes).into_iter();
        let slow: Vec<_> = slow
            .take_while(|(_, outcome)| outcome.milliseconds > TOO_SLOW)
            .collect();
        if !slow.is_empty() {
            _ = writeln!(
                text,
                "\nfaults to mend: {} take {} over {TOO_SLOW} ms:",
                slow.len(),
                compiler.name
            );
        }
        for (index, outcome) in slow {
            _ = writeln!(text, "{}", row(&kernels[index], outcome));
        }
    }
    text
}

/// What is said of a kernel as soon as it is compiled, if there is something to say.
pub(super) fn news(kernel: &Kernel, outcome: &Outcome) -> Option<String> {
    let slow = outcome.milliseconds > TOO_SLOW;
    match outcome.passed {
        true => slow.then(|| row(kernel, outcome)),
        false => Some(format!(
            "{} refused: {}",
            row(kernel, outcome),
            outcome.message
        )),
    }
}

fn row(kernel: &Kernel, outcome: &Outcome) -> String {
    let Outcome {
        milliseconds,
        bytes,
        ..
    } = outcome;
    format!(
        "{milliseconds:>8.0}{bytes:>9}  {}  ({})",
        kernel.label, kernel.line
    )
}

/// The kernels by index, slowest first.
fn by_time(outcomes: &[Outcome]) -> Vec<(usize, &Outcome)> {
    let mut all: Vec<_> = outcomes.iter().enumerate().collect();
    all.sort_by(|(_, a), (_, b)| b.milliseconds.total_cmp(&a.milliseconds));
    all
}

/// The kernels that a compiler refuses, with what it says.
pub(super) fn refused(kernels: &[Kernel], all: &[Found]) -> String {
    let mut text = String::new();
    for Found { compiler, outcomes } in all {
        for (kernel, outcome) in kernels
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| !outcome.passed)
        {
            let Kernel { file, label, line } = kernel;
            let (name, message) = (compiler.name, &outcome.message);
            _ = writeln!(
                text,
                "{name}: {label} ({line}), {}: {message}",
                file.display()
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hlsl::compile::Compiler;

    fn kernel(label: &str) -> Kernel {
        Kernel {
            file: format!("{label}.hlsl").into(),
            label: label.into(),
            line: format!("nonlin wgsl {label}"),
        }
    }

    fn found(lines: &[&str]) -> Found {
        let compiler = Compiler {
            name: "FXC",
            target: "cs_5_1",
            words: Vec::new(),
            variables: Vec::new(),
            folder: "".into(),
            limit: std::time::Duration::ZERO,
        };
        let outcomes = lines.iter().map(|line| Outcome::parse(line).unwrap());
        Found {
            compiler,
            outcomes: outcomes.collect(),
        }
    }

    #[test]
    fn slow_and_refused_kernels_are_named() {
        let kernels = [kernel("relu"), kernel("frelu"), kernel("gelu")];
        let all = [found(&["ok 10 100", "ok 2500 9000", "refused 20 0 X3663"])];
        let table = table(&kernels, &all);
        let wanted = [
            "FXC cs_5_1           3       2       2.5          20        2500",
            "    2500     9000  frelu  (nonlin wgsl frelu)",
            "faults to mend: 1 take FXC over 2000 ms:",
        ];
        for line in wanted {
            assert!(table.lines().any(|found| found == line), "{line}\n{table}");
        }
        assert_eq!(
            refused(&kernels, &all),
            "FXC: gelu (nonlin wgsl gelu), gelu.hlsl: X3663\n"
        );
    }
}
