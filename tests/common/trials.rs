//! Trials on adapters: ignored, or failed, where one is missing. The packages' tests have this in common.

use libtest_mimic::{Arguments, Failed, Trial};
use nonlin::check::Report;
use nonlin::wgpu::{AdapterInfo, Backend};
use std::process::ExitCode;
use std::sync::Arc;

/// A short name for an adapter.
pub(crate) fn key(info: &AdapterInfo) -> String {
    let name = info.name.to_lowercase();
    match info.backend {
        Backend::Vulkan if name.contains("llvmpipe") => "lavapipe".into(),
        Backend::Gl if name.contains("llvmpipe") => "llvmpipe-gl".into(),
        _ if name.contains("swiftshader") => "swiftshader".into(),
        _ => nonlin::describe(info).replace(' ', "-"),
    }
}

/// Trials on one adapter's device, or what stands for them where it is missing.
pub(crate) struct Trials<D> {
    adapter: String,
    device: Option<Arc<D>>,
    trials: Vec<Trial>,
}

impl<D: Send + Sync + 'static> Trials<D> {
    /// The adapter's short name.
    pub(crate) fn adapter(&self) -> &str {
        &self.adapter
    }

    pub(crate) fn add(
        &mut self,
        name: impl std::fmt::Display,
        test: impl FnOnce(&D) -> Result<(), Failed> + Send + 'static,
    ) {
        let device = self.device.clone();
        let required = std::env::var_os("REQUIRE_GPU").is_some_and(|v| v == "1");
        let missing = device.is_none();
        let trial = Trial::test(format!("{}::{name}", self.adapter), move || match device {
            Some(device) => test(&device),
            None => Err("there is no such adapter, and REQUIRE_GPU=1 asks for it".into()),
        });
        self.trials
            .push(trial.with_ignored_flag(missing && !required));
    }
}

/// Runs the same trials on every device, and on those expected that are not among them. `threads` is how many run at
/// once where the command line does not say.
pub(crate) fn run<D>(
    threads: usize,
    found: Vec<(String, D)>,
    expected: &[&str],
    add: impl Fn(&mut Trials<D>),
) -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads = args.test_threads.or(Some(threads));
    let missing = expected
        .iter()
        .filter(|expected| !found.iter().any(|(known, _)| known == *expected));
    let missing: Vec<_> = missing.map(|key| (key.to_string(), None)).collect();
    let found = found.into_iter();
    let found = found.map(|(key, device)| (key, Some(Arc::new(device))));
    let mut trials = Vec::new();
    for (adapter, device) in found.chain(missing) {
        let mut on = Trials {
            adapter,
            device,
            trials: Vec::new(),
        };
        add(&mut on);
        trials.extend(on.trials);
    }
    libtest_mimic::run(&args, trials).exit_code()
}

/// Turns a report into a trial's result.
pub(crate) fn verdict(report: &Report) -> Result<(), Failed> {
    match &report.worst {
        Some(worst) if !report.passes() => Err(format!(
            "{} of {} elements fail; worst: {worst}",
            report.failed, report.compared
        )
        .into()),
        _ => Ok(()),
    }
}
