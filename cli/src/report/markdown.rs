//! Reports as Markdown: one in a short form, and many as a table.

use super::document::{Check, Document, Row, Speed};
use nonlin::DType;
use std::fmt::Write;

/// Activations that stand for the others: piecewise linear, one exponential, the normal distribution, the most arithmetic.
const SOME: [&str; 4] = ["relu", "silu", "gelu", "gelu_tanh"];

/// The chain of constants, whose fused form is beside the other in the table.
const CHAIN: &str = "scale(0.5) | silu | scale(2)";

/// Most failures that are told of.
const TOLD: usize = 20;

const INTRODUCTION: &str = "\
# Adapters

`nonlin report --out FILE` writes what it finds of a machine's adapter as a document; this table is made of those in
`docs/adapters/` by `cargo xtask adapters`. A check is every activation, forward or backward, in f32, f16 or bf16, on inputs of
all magnitudes, or all there are of 16 bits, beside the f64 reference. The worst ULP are those of the element of f32 that comes
nearest to what is allowed to it, which stands behind. Misrounded are elements of 16 bits that are not the number nearest to the
reference, which is promised where dy is 1; the page has others. Times are medians for f32, of copies in nanoseconds an element, and of the others relative to a copy of the same bytes,
forward and backward; the last is how many times as fast the chain `scale(0.5) | silu | scale(2)` is as one dispatch.

";

/// What stands where nothing is known.
const NONE: &str = "-";

/// The report in short.
pub(super) fn short(document: &Document) -> String {
    let adapter = &document.adapter;
    let software = if adapter.software { ", software" } else { "" };
    let about = [
        ("adapter", format!("{}{software}", adapter.name)),
        (
            "backend, driver",
            format!("{}, {}", adapter.backend, adapter.driver),
        ),
        ("system", document.system.clone()),
        ("nonlin", format!("{}, {}", document.nonlin, document.made)),
    ];
    let mut text = String::from("| | |\n|---|---|\n");
    for (name, value) in about {
        line(&mut text, &[name.into(), value]);
    }
    text += "\n| checks of | passed | failed | worst ULP | allowed there | at | misrounded |\n\
             |---|---|---|---|---|---|---|\n";
    for dtype in DType::ALL {
        let of_dtype = |check: &&Check| check.dtype == dtype.name();
        let checks: Vec<_> = document.checks.iter().filter(of_dtype).collect();
        if !checks.is_empty() {
            line(&mut text, &summary(dtype.name(), &checks));
        }
    }
    let failed: Vec<_> = document
        .checks
        .iter()
        .filter(|check| !check.passes())
        .collect();
    if !failed.is_empty() {
        _ = writeln!(
            text,
            "\n{} of {} checks FAILED:\n",
            failed.len(),
            document.checks.len()
        );
    }
    for check in failed.iter().take(TOLD) {
        _ = writeln!(text, "- {}", told(check));
    }
    if failed.len() > TOLD {
        _ = writeln!(text, "- and {} more", failed.len() - TOLD);
    }
    if let Some(speed) = document.timed() {
        text += &times(speed);
    }
    text
}

/// What was found of a dtype.
fn summary(dtype: &str, checks: &[&Check]) -> Vec<String> {
    let passed = checks.iter().filter(|check| check.passes()).count();
    let mut row = vec![
        dtype.to_owned(),
        passed.to_string(),
        (checks.len() - passed).to_string(),
    ];
    row.extend(match worst(checks) {
        Some(check) => [
            ulp(check.worst_ulp),
            ulp(check.allowed_ulp),
            format!("{} {}, x = {}", check.chain, check.pass, place(check)),
        ],
        None => [NONE; 3].map(String::from),
    });
    row.push(misrounded(checks));
    row
}

/// The check that comes nearest to what is allowed, or is furthest over.
fn worst<'a>(checks: &[&'a Check]) -> Option<&'a Check> {
    let share = |check: &Check| {
        let allowed = check.allowed_ulp.unwrap_or(f64::INFINITY);
        // Null where something is wrong is infinite.
        let of_nothing = if check.passes() { 0.0 } else { f64::INFINITY };
        check.worst_ulp.map_or(of_nothing, |ulp| ulp / allowed)
    };
    let shares = checks.iter().map(|check| (share(check), *check));
    let worst = shares.max_by(|(a, _), (b, _)| a.total_cmp(b));
    worst
        .filter(|(share, _)| *share > 0.0)
        .map(|(_, check)| check)
}

/// Of all elements of 16 bits, in percent.
fn misrounded(checks: &[&Check]) -> String {
    let counted = checks
        .iter()
        .filter_map(|check| Some((check.misrounded?, check.compared)));
    let (count, all) = counted.fold((0, 0), |(a, b), (count, all)| (a + count, b + all));
    match all {
        0 => NONE.into(),
        all => format!("{:.3} %", 100.0 * count as f64 / all as f64),
    }
}

/// A failure, in a line.
fn told(check: &Check) -> String {
    let what = format!("`{}` {} {}", check.chain, check.pass, check.dtype);
    match check.compared {
        0 => format!("{what}: nothing was compared"),
        all => format!(
            "{what}: {} of {all} are wrong; worst {} ULP, {} allowed, x = {}",
            check.wrong,
            ulp(check.worst_ulp),
            ulp(check.allowed_ulp),
            place(check)
        ),
    }
}

fn ulp(value: Option<f64>) -> String {
    value.map_or("inf".into(), |value| format!("{value:.2}"))
}

fn place(check: &Check) -> String {
    match &check.at {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number
            .as_f64()
            .map_or(NONE.into(), |x| crate::output::short(x as f32)),
        _ => NONE.into(),
    }
}

/// Some activations, and the chains.
fn times(speed: &Speed) -> String {
    let mut text = format!(
        "\n{} f32, clock: {}, a copy takes {} ns an element\n\n\
         | | pass | ns an element | to copy | fused over unfused |\n|---|---|---|---|---|\n",
        speed.elements, speed.clock, speed.copy_ns
    );
    let is_shown = |row: &&Row| row.unfused_ns.is_some() || SOME.contains(&row.chain.as_str());
    for row in speed.rows.iter().filter(is_shown) {
        let faster = row.unfused_ns.map(|ns| format!("{:.2}", ns / row.ns));
        line(
            &mut text,
            &[
                row.chain.clone(),
                row.pass.clone(),
                row.ns.to_string(),
                format!("{:.2}", row.copy),
                faster.unwrap_or_default(),
            ],
        );
    }
    text
}

/// A table of reports, in an order that only they decide.
pub(super) fn table(mut documents: Vec<Document>) -> String {
    documents.sort_by_cached_key(|document| {
        let adapter = &document.adapter;
        let machine = (
            adapter.software,
            adapter.name.clone(),
            adapter.backend.clone(),
        );
        (machine, row(document))
    });
    let mut text = INTRODUCTION.to_owned();
    let mut titles: Vec<String> = [
        "adapter",
        "driver",
        "backend",
        "system",
        "checks passed",
        "failed",
        "worst ULP",
        "misrounded: f16",
        "bf16",
        "a copy, ns",
    ]
    .map(String::from)
    .into();
    titles.extend(SOME.map(|name| format!("`{name}`")));
    titles.extend(["fused over unfused", "date", "by"].map(String::from));
    line(&mut text, &titles);
    text += &format!("|{}\n", "---|".repeat(titles.len()));
    for document in &documents {
        line(&mut text, &row(document));
    }
    text
}

fn row(document: &Document) -> Vec<String> {
    let (adapter, checks) = (&document.adapter, &document.checks);
    let of = |dtype: &str| -> Vec<&Check> {
        checks.iter().filter(|check| check.dtype == dtype).collect()
    };
    let passed = checks.iter().filter(|check| check.passes()).count();
    let software = if adapter.software { ", software" } else { "" };
    let worst = worst(&of("f32")).map(|check| {
        let [worst, allowed] = [check.worst_ulp, check.allowed_ulp].map(ulp);
        format!("{worst} of {allowed}, {} {}", check.chain, check.pass)
    });
    let mut row = vec![
        format!("{}{software}", adapter.name),
        adapter.driver.clone(),
        adapter.backend.clone(),
        document.system.clone(),
        passed.to_string(),
        (checks.len() - passed).to_string(),
        worst.unwrap_or(NONE.into()),
        misrounded(&of("f16")),
        misrounded(&of("bf16")),
    ];
    row.extend(ratios(document.timed()));
    row.extend([
        document.made.clone(),
        format!("{} {}", document.by, document.nonlin),
    ]);
    row
}

/// A copy, some activations forward and backward, and the chain.
fn ratios(speed: Option<&Speed>) -> Vec<String> {
    let found = |chain: &str, pass: &str| {
        let mut rows = speed.into_iter().flat_map(|speed| &speed.rows);
        rows.find(|row| row.chain == chain && row.pass == pass && row.dtype == "f32")
    };
    let both = |chain: &str, figure: &dyn Fn(&Row) -> Option<f64>| {
        let figures = ["forward", "backward"].map(|pass| found(chain, pass).and_then(figure));
        match figures {
            [None, None] => NONE.into(),
            figures => figures
                .map(|figure| figure.map_or(NONE.into(), |figure| format!("{figure:.2}")))
                .join(", "),
        }
    };
    let mut all = vec![speed.map_or(NONE.into(), |speed| speed.copy_ns.to_string())];
    all.extend(SOME.map(|name| both(name, &|row| Some(row.copy))));
    all.push(both(CHAIN, &|row| Some(row.unfused_ns? / row.ns)));
    all
}

/// A row, whatever is in it.
fn line(text: &mut String, cells: &[impl AsRef<str>]) {
    for cell in cells {
        let cell = cell.as_ref().replace('|', "\\|").replace(['\n', '\r'], " ");
        _ = write!(text, "| {} ", cell.trim());
    }
    text.push_str("|\n");
}
