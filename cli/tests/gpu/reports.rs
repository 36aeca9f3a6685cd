//! `nonlin report` on the default adapter.

use crate::common::{fields, nonlin};
use ::nonlin::Activation;
use serde_json::Value;

/// The document has what the page for the browser reads, and what was checked is as `nonlin check` has it.
pub(crate) fn of_the_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.json");
    let args = ["report", "--quick", "--out", out.to_str().unwrap()];
    let text = nonlin(&args).fine();
    assert!(text.contains("\n| f32 | "), "{text}");
    assert!(
        text.contains("\n| scale(0.5) \\| silu \\| scale(2) | forward | "),
        "{text}"
    );
    let document: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let names = [
        "schema", "nonlin", "made", "by", "system", "adapter", "checks", "speed",
    ];
    assert_eq!(fields(&document), names);
    assert_eq!(
        (&document["schema"], &document["by"]),
        (&1.into(), &"nonlin report".into())
    );
    let names = ["name", "backend", "driver", "vendor", "kind", "software"];
    assert_eq!(fields(&document["adapter"]), names);
    of_checks(&document["checks"]);
    of_speed(&document["speed"]);
    // Read again.
    let table = nonlin(&["report", "--table", out.to_str().unwrap()]).fine();
    let name = document["adapter"]["name"].as_str().unwrap();
    assert!(table.contains(&format!("\n| {name}")), "{table}");
}

fn of_checks(checks: &Value) {
    let checks = checks.as_array().unwrap();
    assert_eq!(checks.len(), Activation::ALL.len() * 2 * 3);
    let names = [
        "chain",
        "pass",
        "dtype",
        "compared",
        "wrong",
        "misrounded",
        "worst_ulp",
        "allowed_ulp",
        "at",
    ];
    for check in checks {
        assert_eq!(fields(check), names);
        assert_eq!(check["wrong"], 0, "{check}");
        let is_all = check["dtype"] == "f32" || check["compared"] == 1 << 16;
        assert!(
            is_all && check["compared"].as_u64() >= Some(20_000),
            "{check}"
        );
        assert_eq!(
            check["misrounded"].is_null(),
            check["dtype"] == "f32",
            "{check}"
        );
    }
    let silu = checks
        .iter()
        .find(|check| check["chain"] == "silu")
        .unwrap();
    let args = ["check", "silu", "--count", "20000", "--json"];
    let checked = &nonlin(&args).json()["results"][0];
    assert_eq!(silu["compared"], checked["compared"]);
    let ulp = |value: &Value| value.as_f64().unwrap();
    let off = ulp(&silu["worst_ulp"]) - ulp(&checked["worst"]["ulp"]);
    assert!(off.abs() < 1e-3, "{silu} {checked}");
    assert_eq!(silu["at"], checked["worst"]["x"]);
}

fn of_speed(speed: &Value) {
    assert_eq!(fields(speed), ["elements", "clock", "copy_ns", "rows"]);
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    assert!(number(&speed["copy_ns"]) > 0.0);
    let rows = speed["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2 * (Activation::ALL.len() + 4));
    for row in rows {
        let names = ["chain", "pass", "dtype", "ns", "copy", "unfused_ns"];
        assert_eq!(fields(row), names);
        assert!(
            number(&row["ns"]) > 0.0 && number(&row["copy"]) > 0.0,
            "{row}"
        );
        let is_chain = row["chain"].as_str().unwrap().contains('|');
        assert_eq!(number(&row["unfused_ns"]) > 0.0, is_chain, "{row}");
    }
}
