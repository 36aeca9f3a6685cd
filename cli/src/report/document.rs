//! The document: what was found of an adapter, and by whom. The page for the browser writes the same.

use crate::{Failure, Result};
use nonlin::DType;
use nonlin::check::Report;
use nonlin::wgpu::{AdapterInfo, Backend, DeviceType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The form of document that is known here.
const SCHEMA: u32 = 1;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Document {
    pub(super) schema: u32,
    /// The library's version.
    pub(super) nonlin: String,
    /// The day, as 2026-11-27, in UTC.
    pub(super) made: String,
    pub(super) by: String,
    /// Operating system and architecture, in words.
    pub(super) system: String,
    pub(super) adapter: Adapter,
    pub(super) checks: Vec<Check>,
    pub(super) speed: Option<Speed>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Adapter {
    pub(super) name: String,
    pub(super) backend: String,
    pub(super) driver: String,
    pub(super) vendor: String,
    pub(super) kind: String,
    pub(super) software: bool,
}

/// A pass of a chain on many inputs of a dtype.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Check {
    pub(super) chain: String,
    pub(super) pass: String,
    pub(super) dtype: String,
    pub(super) compared: u64,
    pub(super) wrong: u64,
    /// Of 16 bits: how many are not the number nearest to the reference.
    pub(super) misrounded: Option<u64>,
    /// Of the element nearest to what is allowed, or furthest over: zero if all are exact, null if it is infinite.
    pub(super) worst_ulp: Option<f64>,
    pub(super) allowed_ulp: Option<f64>,
    /// The x of that element.
    pub(super) at: Value,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Speed {
    pub(crate) elements: u64,
    pub(crate) clock: String,
    /// Of a plain copy, an element: one read and one write of f32.
    pub(crate) copy_ns: f64,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) chain: String,
    pub(crate) pass: String,
    pub(crate) dtype: String,
    /// An element, as one dispatch.
    pub(crate) ns: f64,
    /// The time over that of a copy of what the pass reads and writes at least.
    pub(crate) copy: f64,
    /// An element, as one dispatch for each step.
    pub(crate) unfused_ns: Option<f64>,
}

/// Five digits: more are noise, and make documents long.
pub(crate) fn digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

impl Document {
    /// Nothing yet, of this machine's adapter.
    pub(super) fn new(info: &AdapterInfo) -> Self {
        Document {
            schema: SCHEMA,
            nonlin: env!("CARGO_PKG_VERSION").into(),
            made: time::UtcDateTime::now().date().to_string(),
            by: "nonlin report".into(),
            system: system(std::env::consts::OS, std::env::consts::ARCH),
            adapter: Adapter::new(info),
            checks: Vec::new(),
            speed: None,
        }
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let failed = |error| Failure::io(format_args!("cannot read {shown}"), error);
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let wrong = |error| Failure(format!("{shown} is not a report: {error}"));
        // Of another form, no other field may be there.
        let value: Value = serde_json::from_str(&text).map_err(wrong)?;
        match value.get("schema").and_then(Value::as_u64) {
            Some(schema) if schema != u64::from(SCHEMA) => Err(Failure(format!(
                "{shown} has the schema {schema}; this command reads {SCHEMA}"
            ))),
            _ => serde_json::from_value(value).map_err(wrong),
        }
    }

    /// As JSON with a line for each row, so that one can see what changed between two.
    pub(super) fn print(&self) -> Result<String> {
        let failed = |error| Failure(format!("cannot write the report as JSON: {error}"));
        let mut value = serde_json::to_value(self).map_err(failed)?;
        let mut lists = Vec::new();
        for (at, margin) in [("/checks", "\n  "), ("/speed/rows", "\n    ")] {
            let Some(list) = value.pointer_mut(at) else {
                continue;
            };
            let rows = list.as_array().into_iter().flatten();
            let rows: Vec<_> = rows.map(|row| format!("{margin}  {row}")).collect();
            let mark = format!("rows of {at}");
            lists.push((
                format!("\"{mark}\""),
                format!("[{}{margin}]", rows.join(",")),
            ));
            *list = mark.into();
        }
        let mut text = format!("{value:#}\n");
        for (mark, rows) in lists {
            text = text.replacen(&mark, &rows, 1);
        }
        Ok(text)
    }

    /// Whether something was checked, and all of it is right.
    pub(super) fn passes(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(Check::passes)
    }

    /// Times, if there are any.
    pub(super) fn timed(&self) -> Option<&Speed> {
        self.speed.as_ref().filter(|speed| !speed.rows.is_empty())
    }
}

impl Adapter {
    fn new(info: &AdapterInfo) -> Self {
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => "discrete",
            DeviceType::IntegratedGpu => "integrated",
            DeviceType::VirtualGpu => "virtual",
            DeviceType::Cpu => "cpu",
            DeviceType::Other => "other",
        };
        let backend = match info.backend {
            Backend::BrowserWebGpu => "webgpu",
            other => other.to_str(),
        };
        let driver = format!("{} {}", info.driver, info.driver_info);
        Adapter {
            name: info.name.clone(),
            backend: backend.into(),
            driver: driver.trim().into(),
            vendor: vendor(info.vendor),
            kind: kind.into(),
            software: info.device_type == DeviceType::Cpu,
        }
    }
}

impl Check {
    pub(super) fn new(chain: String, pass: String, dtype: DType, report: &Report) -> Self {
        let worst = report.worst.as_ref();
        let finite = |value: f64| Some(digits(value)).filter(|value| value.is_finite());
        Check {
            chain,
            pass,
            dtype: dtype.name().into(),
            compared: report.compared as u64,
            wrong: report.failed as u64,
            misrounded: report.misrounded.map(|count| count as u64),
            worst_ulp: worst.map_or(Some(0.0), |worst| finite(worst.ulp)),
            allowed_ulp: worst.and_then(|worst| finite(worst.allowed)),
            at: worst.map_or(Value::Null, |worst| crate::output::number(worst.x.into())),
        }
    }

    /// One that could not be made, which is no pass.
    pub(super) fn of_nothing(chain: String, pass: String, dtype: DType) -> Self {
        let nothing = Report::default();
        Check {
            worst_ulp: None,
            ..Check::new(chain, pass, dtype, &nothing)
        }
    }

    pub(super) fn passes(&self) -> bool {
        self.compared > 0 && self.wrong == 0
    }
}

/// What they are called, rather than how Rust spells them.
fn system(os: &str, arch: &str) -> String {
    let os = match os {
        "linux" => "Linux",
        "macos" => "macOS",
        "windows" => "Windows",
        "freebsd" => "FreeBSD",
        "android" => "Android",
        "ios" => "iOS",
        other => other,
    };
    let arch = match arch {
        "x86_64" => "x86-64",
        "aarch64" => "ARM 64",
        other => other,
    };
    format!("{os}, {arch}")
}

/// By the number that PCI or Khronos gave it.
fn vendor(id: u32) -> String {
    let name = match id {
        0x1002 => "AMD",
        0x1010 => "Imagination",
        0x106b => "Apple",
        0x10de => "NVIDIA",
        0x13b5 => "Arm",
        0x1414 => "Microsoft",
        0x14e4 => "Broadcom",
        0x1ae0 => "Google",
        0x5143 => "Qualcomm",
        0x8086 => "Intel",
        0x10005 => "Mesa",
        0 => "unknown",
        other => return format!("{other:#06x}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonlin::{Chain, check};

    fn checked(chain: &str, x: &[f32], y: &[f32]) -> Check {
        let chain: Chain = chain.parse().unwrap();
        let report = check::forward(&chain, x, y).unwrap();
        Check::new(chain.to_string(), "forward".into(), DType::F32, &report)
    }

    fn document(checks: Vec<Check>) -> Document {
        let info = AdapterInfo::new(DeviceType::DiscreteGpu, Backend::Vulkan);
        Document {
            checks,
            ..Document::new(&info)
        }
    }

    #[test]
    fn one_wrong_element_fails_all() {
        let good = checked("relu", &[1.0, -1.0], &[1.0, 0.0]);
        assert_eq!(
            (good.wrong, good.worst_ulp, &good.at),
            (0, Some(0.0), &Value::Null)
        );
        assert!(document(vec![good.clone()]).passes());
        let bad = checked("silu", &[1.0, 0.0], &[0.75, 0.0]);
        assert_eq!((bad.compared, bad.wrong, &bad.at), (2, 1, &1.0.into()));
        assert!(bad.worst_ulp > bad.allowed_ulp, "{bad:?}");
        assert!(!document(vec![good, bad]).passes());
        // A NaN is infinitely far off, for which JSON has no number.
        assert_eq!(checked("silu", &[1.0], &[f32::NAN]).worst_ulp, None);
        let nothing = Check::of_nothing("relu".into(), "forward".into(), DType::F16);
        assert!(!nothing.passes() && !document(Vec::new()).passes());
    }

    #[test]
    fn documents_are_read_as_they_are_printed() {
        let row = Row {
            chain: "silu | gate(@g)".into(),
            pass: "backward".into(),
            dtype: "f32".into(),
            ns: digits(0.003_141_592_65),
            copy: 1.5,
            unfused_ns: None,
        };
        let speed = Speed {
            elements: 1 << 24,
            clock: "timestamps".into(),
            copy_ns: 0.0025,
            rows: vec![row],
        };
        let bad = checked("silu", &[1.0], &[0.75]);
        for speed in [Some(speed), None] {
            let document = Document {
                speed,
                ..document(vec![bad.clone(), bad.clone()])
            };
            let text = document.print().unwrap();
            assert_eq!(
                serde_json::from_str::<Document>(&text).unwrap(),
                document,
                "{text}"
            );
            assert_eq!(
                text.matches("\n    {\"chain\":\"silu\",").count(),
                2,
                "{text}"
            );
        }
        assert_eq!(document(Vec::new()).made.len(), "2026-11-27".len());
    }

    #[test]
    fn names() {
        assert_eq!(system("linux", "x86_64"), "Linux, x86-64");
        assert_eq!(system("plan9", "riscv64"), "plan9, riscv64");
        assert_eq!(
            [0x10de, 0x10005, 0x1234].map(vendor),
            ["NVIDIA", "Mesa", "0x1234"]
        );
        assert_eq!(digits(1.234_567), 1.2346);
    }
}
