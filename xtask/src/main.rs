//! `cargo xtask demo`, `cargo xtask test`, `cargo xtask test core`, `cargo xtask test burn`, `cargo xtask test unfused`, `cargo xtask test vulkan`, `cargo xtask web`, `cargo xtask test web`,
//! `cargo xtask kernels`, `cargo xtask hlsl`, `cargo xtask adapters` and `cargo xtask gpu-kit`: everything a fresh machine with Rust needs, set-up included. Standard library only, so that it builds in a second or two.

mod adapters;
mod hlsl;
mod kernels;
mod kit;
mod packages;
mod reports;
mod serve;
mod shell;
mod site;
mod web;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use shell::{Shell, Step, Stop};

const USAGE: &str = "\
usage: cargo xtask <COMMAND> [OPTIONS]

commands:
  demo        build the command `nonlin`, find an adapter, and run a real array forward and backward
              through a fused chain: checked against the reference, timed against the unfused form
  test        the library and the command: format, lints, documentation, tests on every software
              adapter, examples, demo
  test core   the library without wgpu
  test burn   nonlin-burn: lints, documentation, tests, on devices of other processes too, its examples
  test unfused
              nonlin-burn without burn's fusion
  test vulkan nonlin-burn where burn compiles SPIR-V (its feature `vulkan`), on adapters on which burn's own
              kernels are right (optional: some drivers crash on them)
  web         the package for npm, in the folder web/, and the page that is made of it, in target/site,
              which is then served on localhost
  test web    the package, in Node and in Chromium on WebGPU; the page; the library for the web
  kernels     backward kernels as folders in the form of the Hub's kernels for WebGPU, in target/kernels
  hlsl [TEXT] every kernel as HLSL, through the two compilers that DX12 uses, which are fetched: which
              kernels they refuse, and which take them long (optional; Debian on x86-64, an hour);
              with TEXT, what the lines of `nonlin wgsl` with it in them print, such as frelu or
              'meta_acon --pass backward'
  adapters    docs/ADAPTERS.md, from the reports in docs/adapters
  gpu-kit     a folder, target/gpu-kit, for a machine with a GPU and nothing else: the command, the
              adapter tests, and run.sh, which checks, times and tests there, beside PyTorch (Linux)

options:
  --adapter NAME   for `test`: on one adapter alone, of lavapipe, llvmpipe-gl, swiftshader and
                   whatever else the tests call an adapter of this machine
  --no-serve       for `web`: build, and no more
  --nonlin FILE    for `hlsl`: a command `nonlin` that is built already, in the place of this checkout's
  --no-install     install and download nothing. Otherwise, on Linux, Mesa's software drivers are
                   installed by the system's package manager if they are needed, and `test` fetches
                   SwiftShader into the target folder
  -h, --help       show this
";

/// The chain that the demo runs.
const CHAIN: &str = "scale(0.5) | silu | scale(2)";

#[derive(Clone, Debug, PartialEq)]
enum Task {
    Help,
    Demo,
    Test(Tested),
    Web,
    Kernels,
    /// Of lines with this text in them.
    Hlsl(Option<String>),
    Adapters,
    GpuKit,
}

/// What `test` tests. burn is some 300 crates, and most of the time that they take is their own: whoever
/// changes the library does not wait for them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tested {
    Library,
    /// Without wgpu, whose dependencies have other features and are built once more.
    Core,
    Burn,
    /// The same without burn's fusion: most of burn is built once more.
    Unfused,
    /// The same where burn compiles SPIR-V. Drivers decide whether there is anything to test: no part of CI.
    Vulkan,
    /// The package for npm.
    Web,
}

#[derive(Clone, Debug, PartialEq)]
struct Options {
    task: Task,
    install: bool,
    /// Whether `web` serves what it has built.
    serve: bool,
    adapter: Option<String>,
    nonlin: Option<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match parse(&arguments) {
        Ok(options) => run(&options),
        Err(message) => Err(Stop::new(2, format!("{message}\n\n{USAGE}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("\nxtask: {}", stop.message.trim_end());
            ExitCode::from(stop.code)
        }
    }
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut words = Vec::new();
    let (mut install, mut serve, mut adapter, mut nonlin) = (true, true, None, None);
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        match argument {
            "-h" | "--help" => words = vec!["help"],
            "--no-install" => install = false,
            "--no-serve" => serve = false,
            "--adapter" => {
                let name = rest.next().ok_or("--adapter needs a name")?;
                adapter = Some(name.to_owned());
            }
            "--nonlin" => {
                let file = rest.next().ok_or("--nonlin needs a file")?;
                nonlin = Some(file.to_owned());
            }
            option if option.starts_with('-') => {
                return Err(format!("unexpected argument `{option}`"));
            }
            word => words.push(word),
        }
        if words == ["help"] {
            break;
        }
    }
    let task = match arguments.is_empty() {
        true => Task::Help,
        false => task_of(&words)?,
    };
    if adapter.is_some() && !matches!(task, Task::Test(_) | Task::Help) {
        return Err("--adapter is for `test`; the demo finds one".into());
    }
    if nonlin.is_some() && !matches!(task, Task::Hlsl(_) | Task::Help) {
        return Err("--nonlin is for `hlsl`; other commands build it".into());
    }
    if !serve && !matches!(task, Task::Web | Task::Help) {
        return Err("--no-serve is for `web`; nothing else serves".into());
    }
    Ok(Options {
        task,
        install,
        serve,
        adapter,
        nonlin,
    })
}

fn task_of(words: &[&str]) -> Result<Task, String> {
    Ok(match words[..] {
        ["help"] => Task::Help,
        [] => return Err("which command, `demo` or `test`?".into()),
        ["demo"] => Task::Demo,
        ["test"] => Task::Test(Tested::Library),
        ["test", "core"] => Task::Test(Tested::Core),
        ["test", "burn"] => Task::Test(Tested::Burn),
        ["test", "unfused"] => Task::Test(Tested::Unfused),
        ["test", "vulkan"] => Task::Test(Tested::Vulkan),
        ["test", "web"] => Task::Test(Tested::Web),
        ["web"] => Task::Web,
        ["kernels"] => Task::Kernels,
        ["adapters"] => Task::Adapters,
        ["gpu-kit"] => Task::GpuKit,
        ["hlsl"] => Task::Hlsl(None),
        ["hlsl", only] => Task::Hlsl(Some(only.to_owned())),
        [
            "demo" | "web" | "kernels" | "adapters" | "gpu-kit",
            other,
            ..,
        ]
        | ["hlsl", _, other, ..]
        | ["test", "burn" | "unfused" | "vulkan" | "web", other, ..]
        | ["test", other, ..]
        | [other, ..] => {
            return Err(format!("unexpected argument `{other}`"));
        }
    })
}

fn run(options: &Options) -> Result<(), Stop> {
    let install = options.install;
    match &options.task {
        Task::Help => {
            print!("{USAGE}");
            Ok(())
        }
        Task::Demo => Shell::new().and_then(|mut shell| demo(&mut shell, install)),
        Task::Test(tested) => Shell::new().and_then(|mut shell| {
            let done = test(&mut shell, *tested, install, options.adapter.as_deref());
            shell.summary();
            done
        }),
        Task::Web => {
            Shell::new().and_then(|mut shell| web::web(&mut shell, install, options.serve))
        }
        Task::Adapters => Shell::new().and_then(|mut shell| reports::table(&mut shell)),
        Task::GpuKit => Shell::new().and_then(|mut shell| kit::make(&mut shell)),
        Task::Kernels => Shell::new().and_then(|mut shell| kernels::kernels(&mut shell, install)),
        Task::Hlsl(only) => Shell::new().and_then(|mut shell| {
            let nonlin = options.nonlin.as_deref().map(Path::new);
            hlsl::hlsl(&mut shell, install, only.as_deref(), nonlin)
        }),
    }
}

fn demo(shell: &mut Shell, install: bool) -> Result<(), Stop> {
    println!("The first build takes some minutes, later ones take seconds.");
    let why = "the command `nonlin`";
    shell.run(&Step::new(
        "build",
        why,
        &["cargo", "build", "-p", "nonlin-cli"],
    ))?;
    show(shell, install)
}

/// What the demo shows, once the command is built.
fn show(shell: &mut Shell, install: bool) -> Result<(), Stop> {
    adapters::ensure_one(shell, install)?;
    let out = shell.folder("demo")?;
    for step in demo_steps(&out) {
        shell.run(&step)?;
    }
    println!(
        "
That was: an array of real data, forward and backward through `{CHAIN}`,
each in one dispatch; values and derivatives checked against the f64 reference; the fused form
timed beside the unfused one and a plain copy. The results are in {}.
The command is {}; `cargo install --path cli` puts it on your PATH.",
        out.display(),
        shell.shown(&shell.nonlin()).display(),
    );
    Ok(())
}

fn demo_steps(out: &Path) -> Vec<Step> {
    let y = out.join("y.npy").display().to_string();
    let dx = out.join("dx.npy").display().to_string();
    let (x, dy) = ("tests/data/digits_x.npy", "tests/data/digits_dy.npy");
    let run = [
        "nonlin", "run", CHAIN, "--x", x, "--y", &y, "--dy", dy, "--dx", &dx,
    ];
    vec![
        Step::new(
            "adapters",
            "the adapters of this machine",
            &["nonlin", "adapters"],
        ),
        Step::new("run", "an array forward, and its gradient backward", &run),
        Step::new(
            "check",
            "against the f64 reference",
            &["nonlin", "check", CHAIN],
        ),
        Step::new(
            "bench",
            "fused, unfused, plain copy",
            &[
                "nonlin",
                "bench",
                CHAIN,
                "--len",
                "4194304",
                "--samples",
                "7",
            ],
        ),
    ]
}

fn test(
    shell: &mut Shell,
    tested: Tested,
    install: bool,
    adapter: Option<&str>,
) -> Result<(), Stop> {
    if tested == Tested::Web {
        return web::test(shell, install);
    }
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !shell.quietly(&["cargo", command, "--version"]) {
            let how = format!("`rustup component add {component}` installs it");
            return Err(Stop::new(2, format!("`cargo {command}` is missing; {how}")));
        }
    }
    let mut variables = adapters::ensure_all(shell, install)?;
    if let Some(adapter) = adapter {
        variables.push(("NONLIN_TEST_ADAPTER", adapter.into()));
    }
    let examples = shell.examples();
    let steps = match tested {
        Tested::Library => library_steps(&examples, &variables),
        Tested::Core => vec![core()],
        Tested::Burn => burn_steps(&examples, &variables),
        Tested::Unfused => unfused_steps(&variables),
        Tested::Vulkan => vulkan_steps(&variables),
        Tested::Web => Vec::new(),
    };
    for step in steps {
        shell.run(&step)?;
    }
    match tested {
        Tested::Library => show(shell, false),
        Tested::Core | Tested::Burn | Tested::Unfused | Tested::Vulkan | Tested::Web => Ok(()),
    }
}

/// Cargo's arguments that choose what `cargo xtask test` tests. It is the same in every step, and lints and
/// documentation take in tests and examples: so the dependencies have the same features in all of them, and are checked
/// once, for lints and documentation, and built once, for tests, examples and the command.
const LIBRARY: [&str; 6] = ["-p", "nonlin", "-p", "nonlin-cli", "-p", "xtask"];
const BURN: [&str; 2] = ["-p", "nonlin-burn"];

fn cargo(words: &[&[&str]]) -> Vec<String> {
    let words = words.iter().flat_map(|words| words.iter());
    ["cargo"]
        .iter()
        .chain(words)
        .map(ToString::to_string)
        .collect()
}

fn lints(packages: &[&str], more: &[&str]) -> Step {
    let line = cargo(&[
        &["clippy"],
        packages,
        // The corpus is tested only by name, and so is not among them.
        &["--all-targets"],
        more,
        &["--", "-D", "warnings"],
    ]);
    Step::new("lints", "clippy has nothing to say", &line)
}

fn docs(packages: &[&str]) -> Step {
    let line = cargo(&[&["doc", "--no-deps", "--lib", "--examples"], packages]);
    let why = "the documentation has no broken link and no gap";
    Step::new("docs", why, &line).with("RUSTDOCFLAGS", "-D warnings")
}

/// The library without wgpu. It has a target folder of its own, so that its dependencies, which have other features, do not
/// take the place of those of the other steps.
fn core() -> Step {
    let line = cargo(&[&["test", "-p", "nonlin", "--no-default-features"]]);
    let why = "chains, layers, recipes, the reference and the checker, without wgpu";
    Step::new("core", why, &line).with("CARGO_TARGET_DIR", "target/core")
}

fn library_steps(examples: &Path, variables: &[(&'static str, String)]) -> Vec<Step> {
    let example = |name: &str, why, more: &[&str]| {
        let program = examples.join(name).display().to_string();
        Step::new("example", why, &[&[program.as_str()], more].concat())
    };
    let format = ["cargo", "fmt", "--all", "--check"];
    let tests = "all tests, on every adapter, and the documentation's examples";
    vec![
        Step::new("format", "rustfmt has nothing to change", &format),
        lints(&LIBRARY, &["--test", "corpus"]),
        docs(&LIBRARY),
        Step::new("tests", tests, &cargo(&[&["test"], &LIBRARY])).with_all(variables),
        example("embed", "the library inside another wgpu program", &[]),
        example(
            "matmul_epilogue",
            "an activation in somebody's own matmul",
            &[],
        ),
        example("custom_activation", "an activation from WGSL text", &[]),
        example("from_value", "an activation from its value alone", &[]),
        example("gpt_oss_mlp", "a clamped SwiGLU between two products", &[]),
        example("snake", "a block with Snakes learns a sine", &["200"]),
        example("attention", "a block of attention learns to look back", &[]),
        example(
            "train_mlp",
            "a network that learns its activations too",
            &["--epochs", "2", "--seeds", "1"],
        ),
    ]
}

fn vulkan_steps(variables: &[(&'static str, String)]) -> Vec<Step> {
    let vulkan = [&BURN[..], &["--features", "vulkan"]].concat();
    vec![
        lints(&vulkan, &[]),
        Step::new(
            "vulkan",
            "nonlin inside a burn that compiles SPIR-V, where burn's own kernels are right",
            &cargo(&[&["test"], &vulkan, &["--test", "burn"]]),
        )
        .with_all(variables),
    ]
}

/// With all of nonlin-burn's parts that need more of burn than most programs have.
const REMOTE: [&str; 2] = ["--features", "remote-server,remote-websocket"];

fn burn_steps(examples: &Path, variables: &[(&'static str, String)]) -> Vec<Step> {
    let example = |name: &str, why, more: &[&str]| {
        let program = examples.join(name).display().to_string();
        Step::new("example", why, &[&[program.as_str()], more].concat())
    };
    let with_remote = [&BURN[..], &REMOTE].concat();
    vec![
        lints(&with_remote, &[]),
        docs(&with_remote),
        Step::new(
            "tests",
            "nonlin inside burn, on every adapter that burn can use; on devices of other processes, on one",
            &cargo(&[&["test"], &with_remote]),
        )
        .with_all(variables),
        example(
            "burn_train",
            "a network of burn that learns with its own activations and with ours",
            &["--epochs", "2"],
        ),
        example(
            "burn_data_parallel",
            "a network that two devices train together",
            &["--steps", "5"],
        ),
        example(
            "burn_remote",
            "two servers in processes of their own, and a client",
            &[],
        ),
    ]
}

/// With the same features of burn otherwise, so that most of it is not built once more.
fn unfused_steps(variables: &[(&'static str, String)]) -> Vec<Step> {
    let unfused = [&["--no-default-features"], &BURN[..], &REMOTE].concat();
    let why = "nonlin inside burn without burn's fusion, on one adapter";
    let line = cargo(&[&["test"], &unfused, &["--test", "burn"]]);
    vec![Step::new("unfused", why, &line).with_all(variables)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(
            &line
                .split_whitespace()
                .map(String::from)
                .collect::<Vec<_>>(),
        )
    }

    fn options(task: Task) -> Options {
        Options {
            task,
            install: true,
            serve: true,
            adapter: None,
            nonlin: None,
        }
    }

    #[test]
    fn arguments() {
        assert_eq!(parsed(""), Ok(options(Task::Help)));
        assert_eq!(parsed("demo --help"), Ok(options(Task::Help)));
        assert_eq!(parsed("demo"), Ok(options(Task::Demo)));
        for (line, tested) in [
            ("test", Tested::Library),
            ("test core", Tested::Core),
            ("test burn", Tested::Burn),
            ("test unfused", Tested::Unfused),
            ("test vulkan", Tested::Vulkan),
            ("test web", Tested::Web),
        ] {
            assert_eq!(parsed(line), Ok(options(Task::Test(tested))), "{line}");
        }
        for (line, task) in [
            ("web", Task::Web),
            ("kernels", Task::Kernels),
            ("adapters", Task::Adapters),
            ("gpu-kit", Task::GpuKit),
        ] {
            assert_eq!(parsed(line), Ok(options(task)), "{line}");
        }
    }

    #[test]
    fn options_of_commands() {
        let no_install = Options {
            install: false,
            ..options(Task::Demo)
        };
        assert_eq!(parsed("--no-install demo"), Ok(no_install));
        let no_serve = Options {
            serve: false,
            ..options(Task::Web)
        };
        assert_eq!(parsed("web --no-serve"), Ok(no_serve));
        let on_one = Options {
            adapter: Some("lavapipe".into()),
            ..options(Task::Test(Tested::Burn))
        };
        assert_eq!(parsed("test --adapter lavapipe burn"), Ok(on_one));
        let given = Options {
            nonlin: Some("target/debug/nonlin".into()),
            ..options(Task::Hlsl(Some("frelu".into())))
        };
        assert_eq!(parsed("hlsl frelu --nonlin target/debug/nonlin"), Ok(given));
        for wrong in [
            "web page",
            "adapters docs",
            "gpu-kit now",
            "test web page",
            "kernels relu",
            "hlsl frelu silu",
            "hlsl --nonlin",
            "demo --nonlin target/debug/nonlin",
            "dmeo",
            "demo test",
            "demo demo",
            "test --install",
            "test library",
            "test burn burn",
            "test --adapter",
            "demo --adapter lavapipe",
            "--no-install",
            "demo --no-serve",
            "test web --no-serve",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn demo_lines_can_be_pasted() {
        let steps = demo_steps(Path::new("target/demo"));
        let lines: Vec<String> = steps.iter().map(Step::to_string).collect();
        assert_eq!(
            lines[1],
            "nonlin run 'scale(0.5) | silu | scale(2)' \
             --x tests/data/digits_x.npy --y target/demo/y.npy \
             --dy tests/data/digits_dy.npy --dx target/demo/dx.npy"
        );
        assert_eq!(lines[2], "nonlin check 'scale(0.5) | silu | scale(2)'");
    }

    fn lines(steps: &[Step]) -> Vec<String> {
        steps.iter().map(Step::to_string).collect()
    }

    #[test]
    fn variables_are_shown_before_the_command() {
        let examples = Path::new("target/debug/examples");
        let variables = [("REQUIRE_GPU", "1".into())];
        let lines = lines(&library_steps(examples, &variables));
        let wanted = [
            "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --lib --examples -p nonlin -p nonlin-cli -p xtask",
            "REQUIRE_GPU=1 cargo test -p nonlin -p nonlin-cli -p xtask",
            "target/debug/examples/train_mlp --epochs 2 --seeds 1",
        ];
        for line in wanted {
            assert!(lines.contains(&line.into()), "{lines:?}");
        }
    }

    /// What a user of the library runs compiles nothing of burn.
    #[test]
    fn burn_is_apart() {
        let examples = Path::new("target/debug/examples");
        for line in lines(&library_steps(examples, &[])) {
            assert!(
                !line.contains("burn") && !line.contains("--workspace"),
                "{line}"
            );
        }
    }
}
