//! What the commands have in common: dtypes, files, passes and orders as they are given; text, tables, JSON and progress.

use crate::npy::Written;
use crate::{Failure, Result};
use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nonlin::layers::Order;
use nonlin::{DType, Pass};
use serde_json::Value;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Reads `--dtype`.
pub(crate) fn dtypes() -> impl TypedValueParser<Value = DType> {
    let names = DType::ALL.iter().map(|dtype| dtype.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<DType>())
}

/// Reads `--bf16-as`.
pub(crate) fn written() -> impl TypedValueParser<Value = Written> {
    let all = [Written::F32, Written::V2];
    PossibleValuesParser::new(all.map(Written::name)).map(move |name| match &*name {
        "V2" => Written::V2,
        _ => Written::F32,
    })
}

/// Reads a file's name. `-` is standard input or output for other programs, and would be a file here.
pub(crate) fn files() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.as_os_str() == "-" {
        true => Err(DASH),
        false => Ok(path),
    })
}

/// Why `-` is refused.
pub(crate) const DASH: &str =
    "standard input and output are not used; for a file of that name, say ./-";

/// Reads `--pass`.
pub(crate) fn passes() -> impl TypedValueParser<Value = Pass> {
    let names = ["forward", "backward", "backward-from-y", "double-backward"];
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Pass>())
}

/// Reads `--order`.
pub(crate) fn orders() -> impl TypedValueParser<Value = Order> {
    PossibleValuesParser::new(["nchw", "nhwc"]).try_map(|name| name.parse::<Order>())
}

/// Writes to stdout. A reader that has seen enough and closed the pipe is no error.
pub(crate) fn show(bytes: impl AsRef<[u8]>) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::io("cannot write to stdout", error))
        }
        _ => Ok(()),
    }
}

/// Writes a document to stdout.
pub(crate) fn show_json(value: &Value) -> Result<()> {
    show(format!("{value:#}\n"))
}

/// Writes a line to stderr, if there is one.
pub(crate) fn complain(message: &str) {
    _ = writeln!(io::stderr(), "nonlin: {message}");
}

/// A number as JSON has it; what JSON has no number for, as a string that most languages read.
pub(crate) fn number(value: f64) -> Value {
    match value {
        v if v.is_finite() => v.into(),
        v if v.is_nan() => "nan".into(),
        v if v > 0.0 => "inf".into(),
        _ => "-inf".into(),
    }
}

/// A number for people: seven digits or so, with an exponent where that is shorter.
pub(crate) fn short(value: f32) -> String {
    let magnitude = value.abs();
    if value == 0.0 || !value.is_finite() || (1e-4..1e7).contains(&magnitude) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// Lays out rows in columns. The first `left` columns are text, the others are numbers.
pub(crate) fn table(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| {
            if column < left {
                format!("{cell:width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A progress bar on stderr, for work that turns out to take longer than a second. There is none
/// where stderr is not a terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        if let Ok(style) =
            ProgressStyle::with_template("{msg:30} [{bar:30}] {percent:>3}%, {eta} to go")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        let started = Instant::now();
        Progress { bar, started }
    }

    /// Says what is being done.
    pub(crate) fn doing(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// Counts what has been done.
    pub(crate) fn advance(&self, by: u64) {
        if self.bar.is_hidden() && self.started.elapsed() > Duration::from_secs(1) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(by);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_valid_json() {
        let all = [1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(number);
        assert_eq!(
            Value::from(all.to_vec()).to_string(),
            r#"[1.5,"nan","inf","-inf"]"#
        );
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a", "1"], ["bcd", "10"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(table(&rows, 1), "a     1\nbcd  10\n");
    }

    #[test]
    fn short_numbers() {
        assert_eq!(
            [0.5, 0.0, 1e9, -1e-30].map(short),
            ["0.5", "0", "1e9", "-1e-30"]
        );
    }
}
