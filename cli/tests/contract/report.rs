//! `nonlin report` where there is no adapter, or one that computes nothing; and the table of the reports that there are.

use crate::common::{Ran, command, nonlin};
use crate::{NO_ADAPTER, contents, without_adapter};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// wgpu's backend that runs nothing: all results are zero.
fn on_nothing(args: &[&str]) -> Ran {
    let mut command = command(args);
    command
        .env_remove("WGPU_ADAPTER_NAME")
        .env("WGPU_BACKEND", "noop")
        .env("WGPU_NOOP_BACKEND", "1");
    command.output().unwrap().into()
}

#[test]
fn a_failing_check_is_reported_as_failing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.json");
    let args = [
        "report",
        "--quick",
        "--no-speed",
        "--out",
        out.to_str().unwrap(),
    ];
    let Ran {
        code,
        stdout,
        stderr,
    } = on_nothing(&args);
    assert_eq!((code, stderr.as_str()), (Some(1), ""), "{stdout}");
    assert!(stdout.contains(" checks FAILED:\n\n- `"), "{stdout}");
    let text = std::fs::read_to_string(&out).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["speed"], Value::Null);
    let checks = document["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["wrong"] != 0).count();
    // There are functions that are zero on half of all inputs, but none on all.
    assert_eq!(failed, checks.len());
    let table = nonlin(&["report", "--table", out.to_str().unwrap()]).fine();
    let row = table.lines().last().unwrap();
    assert!(row.contains(&format!(" | 0 | {failed} | inf of ")), "{row}");
    // Nothing is timed that computes nothing, and that is told.
    let Ran { code, stderr, .. } = on_nothing(&["report", "--quick", "--json"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("the forward copy kernel does not copy"),
        "{stderr}"
    );
}

#[test]
fn what_cannot_be_done_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.json");
    let out = out.to_str().unwrap();
    without_adapter(&["report", "--out", out]).refused(NO_ADAPTER);
    let [old, other, not] =
        ["old.json", "other.json", "not.json"].map(|name| folder.path().join(name));
    let [old, other, not] = [&old, &other, &not].map(|path| path.to_str().unwrap());
    std::fs::write(not, "[").unwrap();
    std::fs::write(old, "{\"schema\": 1, \"adapter\": 7}").unwrap();
    std::fs::write(other, "{\"schema\": 2}").unwrap();
    nonlin(&["report", "--table", other, "--out", out])
        .refused(&format!("{other} has the schema 2; this command reads 1"));
    for wrong in [not, old] {
        let ran = nonlin(&["report", "--table", wrong, "--out", out]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
        let start = format!("nonlin: {wrong} is not a report: ");
        assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
    }
    assert_eq!(contents(folder.path()).len(), 3);
}

/// The page's reports, which have words of their own.
#[test]
fn reports_of_the_page_are_read() {
    let check = json!({"chain": "silu", "pass": "forward", "dtype": "f32", "compared": 9, "wrong": 1,
        "misrounded": null, "worst_ulp": null, "allowed_ulp": 4, "at": "Infinity"});
    let report = json!({"schema": 1, "nonlin": "0.1.0", "made": "2026-11-27", "by": "page",
        "system": "Firefox 150, Linux", "checks": [check],
        "adapter": {"name": "a | b", "backend": "webgpu", "driver": "", "vendor": "", "kind": "other", "software": false},
        "speed": {"elements": 0, "clock": "host", "copy_ns": 0, "rows": []}});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.json");
    std::fs::write(&file, report.to_string()).unwrap();
    let table = nonlin(&["report", "--table", file.to_str().unwrap()]).fine();
    let row = table.lines().last().unwrap();
    let start = "| a \\| b |  | webgpu | Firefox 150, Linux | 0 | 1 | inf of 4.00, silu forward | - | - | - | ";
    assert!(row.starts_with(start), "{row}");
    assert!(row.ends_with(" | 2026-11-27 | page 0.1.0 |"), "{row}");
}

/// The reports of docs/adapters, by name.
fn reports() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(docs().join("adapters")).unwrap();
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    all.sort();
    all
}

fn table_of(reports: &[PathBuf]) -> String {
    let files = reports.iter().map(|path| path.to_str().unwrap());
    let args: Vec<&str> = ["report", "--table"].into_iter().chain(files).collect();
    nonlin(&args).fine()
}

#[test]
fn the_table_of_adapters_is_what_the_reports_give() {
    let committed = std::fs::read_to_string(docs().join("ADAPTERS.md")).unwrap();
    let committed = committed.replace("\r\n", "\n");
    let mut reports = reports();
    assert!(!reports.is_empty());
    let how = "`cargo xtask adapters` writes docs/ADAPTERS.md";
    assert_eq!(table_of(&reports), committed, "{how}");
    // In which order they come changes nothing.
    reports.reverse();
    assert_eq!(table_of(&reports), committed);
    // What changes in one of them does.
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("changed.json");
    let text = std::fs::read_to_string(&reports[0]).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    document["checks"][0]["wrong"] = 1.into();
    std::fs::write(&changed, document.to_string()).unwrap();
    reports[0] = changed;
    assert_ne!(table_of(&reports), committed);
}
