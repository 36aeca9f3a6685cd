//! Trials on adapters: ignored, or failed, where one is missing. The packages' tests have this in common.

use libtest_mimic::{Arguments, Failed, Trial};
use nonlin::check::Report;
use nonlin::wgpu::{AdapterInfo, Backend};
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    took: Took,
}

/// How long each trial took.
type Took = Arc<Mutex<Vec<(Duration, String)>>>;

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
        let (name, took) = (format!("{}::{name}", self.adapter), Arc::clone(&self.took));
        let key = name.clone();
        let trial = Trial::test(name, move || match device {
            Some(device) => {
                let start = Instant::now();
                let result = test(&device);
                let mut took = took.lock().unwrap_or_else(PoisonError::into_inner);
                took.push((start.elapsed(), key));
                result
            }
            None => Err("there is no such adapter, and REQUIRE_GPU=1 asks for it".into()),
        });
        self.trials
            .push(trial.with_ignored_flag(missing && !required));
    }
}

/// The variable that names the adapter whose trials run, as [`key`] calls it; of more than one, with commas.
const ADAPTER: &str = "NONLIN_TEST_ADAPTER";

/// Which adapters' trials this process is for: all of them where the variable is not set.
pub(crate) fn is_wanted(key: &str) -> bool {
    match std::env::var(ADAPTER) {
        Ok(names) if !names.is_empty() => names.split(',').any(|name| name == key),
        _ => true,
    }
}

/// Runs the same trials on every adapter found, and on those expected that are not among them; each adapter's in a
/// process of its own, so that what one driver does to the heap is not in another's way, `at_once` of them at a time:
/// drivers that compile use one core. `threads` is how many trials run at once on an adapter where the command line
/// does not say; on GL it is one, since wgpu gives a thread up that waits for the context longer than it takes some
/// kernels to compile. `open` makes a device, which may be more than one on an adapter.
pub(crate) fn run<A, D: Send + Sync + 'static>(
    at_once: usize,
    threads: usize,
    adapters: Vec<(String, A)>,
    expected: &[&str],
    open: impl Fn(&A) -> Result<D, String>,
    add: impl Fn(&mut Trials<D>),
) -> ! {
    let mut args = Arguments::from_args();
    let found = adapters.iter().map(|(key, _)| key.as_str());
    let missing = expected.iter().copied();
    let mut keys: Vec<&str> = Vec::new();
    for key in found.chain(missing).filter(|key| is_wanted(key)) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        eprintln!("no adapter is called what {ADAPTER} says");
        leave(2);
    }
    if keys.len() > 1 && !args.list {
        leave(apart(&keys, at_once));
    }
    let on_gl = keys.iter().all(|key| key.ends_with("-gl"));
    args.test_threads = args.test_threads.or(Some(if on_gl { 1 } else { threads }));
    let (mut trials, took) = (Vec::new(), Took::default());
    for key in keys {
        let adapter = adapters.iter().find(|(known, _)| known == key);
        let device = adapter.and_then(|(_, adapter)| {
            let opened = open(adapter).map_err(|error| eprintln!("{key}: {error}"));
            opened.ok().map(Arc::new)
        });
        let mut on = Trials {
            adapter: key.to_owned(),
            device,
            trials: Vec::new(),
            took: Arc::clone(&took),
        };
        add(&mut on);
        trials.extend(on.trials);
    }
    let conclusion = libtest_mimic::run(&args, trials);
    show_slowest(&took);
    leave(if conclusion.has_failed() { 101 } else { 0 });
}

/// Says which trials took longest: a suite that nobody watches becomes slow.
fn show_slowest(took: &Took) {
    let mut took = took.lock().unwrap_or_else(PoisonError::into_inner);
    took.sort();
    let slowest = took.iter().rev().take(5);
    let slowest = slowest.map(|(time, name)| format!("{name} {:.1} s", time.as_secs_f64()));
    println!("slowest: {}", slowest.collect::<Vec<_>>().join(", "));
}

/// Runs this program once for each adapter, so many at the same time, and shows what each said when it is done. The exit code
/// is that of the first that failed.
fn apart(keys: &[&str], at_once: usize) -> i32 {
    let code = Mutex::new(0);
    let left = Mutex::new(keys.iter());
    let run = |key: &str| {
        let this = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(this);
        command.args(std::env::args_os().skip(1)).env(ADAPTER, key);
        let output = command.output().expect("this program starts once more");
        let mut code = code.lock().unwrap_or_else(PoisonError::into_inner);
        println!("\nadapter {key}: {}", output.status);
        for bytes in [&output.stdout, &output.stderr] {
            print!("{}", String::from_utf8_lossy(bytes));
        }
        if !output.status.success() && *code == 0 {
            *code = output.status.code().unwrap_or(101);
        }
    };
    std::thread::scope(|scope| {
        for _ in keys.iter().take(at_once) {
            scope.spawn(|| {
                let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some(key) = next() {
                    run(key);
                }
            });
        }
    });
    code.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process at once, without exit handlers; results are out by then.
///
/// libglvnd 1.6 frees, as the process exits, what it keeps for every thread that has called EGL, and a thread that has
/// not quite ended frees its own once more: `double free or corruption`, after all tests have passed. libtest-mimic waits
/// for its threads' work and not for their end, so such threads there are.
pub(crate) fn leave(code: i32) -> ! {
    // What cannot be written has nobody who would read it.
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    signal_hook::low_level::exit(code)
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
