//! `cargo xtask demo` and `cargo xtask test`: everything a fresh machine with Rust needs, set-up
//! included. Standard library only, so that it builds in a second or two.

mod adapters;
mod shell;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use shell::{Shell, Step, Stop};

const USAGE: &str = "\
usage: cargo xtask <COMMAND> [--no-install]

commands:
  demo   build the command `nonlin`, find an adapter, and run a real array forward and backward
         through a fused chain: checked against the reference, timed against the unfused form
  test   everything CI runs: format, lints, documentation, tests, examples, demo

options:
  --no-install   install and download nothing. Otherwise, on Linux, Mesa's software drivers are
                 installed by the system's package manager if they are needed, and `test` fetches
                 SwiftShader into the target folder
  -h, --help     show this
";

/// The chain that the demo runs.
const CHAIN: &str = "scale(0.5) | silu | scale(2)";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Help,
    Demo { install: bool },
    Test { install: bool },
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match parse(&arguments) {
        Ok(Task::Help) => {
            print!("{USAGE}");
            Ok(())
        }
        Ok(Task::Demo { install }) => Shell::new().and_then(|mut shell| demo(&mut shell, install)),
        Ok(Task::Test { install }) => Shell::new().and_then(|mut shell| {
            let done = test(&mut shell, install);
            shell.summary();
            done
        }),
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

fn parse(arguments: &[String]) -> Result<Task, String> {
    let (mut command, mut install) = (None, true);
    for argument in arguments {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Task::Help),
            "--no-install" => install = false,
            "demo" | "test" if command.is_none() => command = Some(argument.as_str()),
            other => return Err(format!("unexpected argument `{other}`")),
        }
    }
    match command {
        Some("demo") => Ok(Task::Demo { install }),
        Some(_) => Ok(Task::Test { install }),
        None if arguments.is_empty() => Ok(Task::Help),
        None => Err("which command, `demo` or `test`?".into()),
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
            &["nonlin", "bench", CHAIN],
        ),
    ]
}

fn test(shell: &mut Shell, install: bool) -> Result<(), Stop> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !shell.quietly(&["cargo", command, "--version"]) {
            let how = format!("`rustup component add {component}` installs it");
            return Err(Stop::new(2, format!("`cargo {command}` is missing; {how}")));
        }
    }
    let variables = adapters::ensure_all(shell, install)?;
    let examples = shell.examples();
    for step in test_steps(&examples, &variables) {
        shell.run(&step)?;
    }
    show(shell, false)
}

/// What CI runs before the demo. Cheap steps come first. All use the dev profile, and all that is built is built for the
/// whole workspace: Cargo would build wgpu once more for some of its packages alone.
fn test_steps(examples: &Path, variables: &[(&'static str, String)]) -> Vec<Step> {
    let example = |name| examples.join(name).display().to_string();
    let [embed, epilogue, own, train, burn] = [
        "embed",
        "matmul_epilogue",
        "custom_activation",
        "train_mlp",
        "burn_train",
    ]
    .map(example);
    let lints = [
        "cargo",
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    let command = ["cargo", "build", "--workspace", "--bins", "--examples"];
    vec![
        Step::new(
            "format",
            "rustfmt has nothing to change",
            &["cargo", "fmt", "--all", "--check"],
        ),
        Step::new("lints", "clippy has nothing to say", &lints),
        Step::new(
            "docs",
            "the documentation has no broken link and no gap",
            &["cargo", "doc", "--workspace", "--no-deps"],
        )
        .with("RUSTDOCFLAGS", "-D warnings"),
        Step::new(
            "tests",
            "all tests, on every adapter, and the documentation's examples",
            &["cargo", "test", "--workspace"],
        )
        .with_all(variables),
        Step::new(
            "embedding",
            "the library inside another wgpu program",
            &[&embed],
        ),
        Step::new(
            "epilogue",
            "an activation in somebody's own matmul",
            &[&epilogue],
        ),
        Step::new("own activation", "an activation from WGSL text", &[&own]),
        Step::new(
            "training",
            "a network that learns its activations too",
            &[&train, "--epochs", "2", "--seeds", "1"],
        ),
        Step::new(
            "burn",
            "a network of burn that learns with its own activations and with ours",
            &[&burn, "--epochs", "2"],
        ),
        Step::new("build", "the command `nonlin`, for the demo", &command),
        Step::new(
            "burn, unfused",
            "nonlin inside burn once more, without burn's fusion",
            &[
                "cargo",
                "test",
                "--workspace",
                "--no-default-features",
                "--test",
                "burn",
            ],
        )
        .with_all(variables),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        parse(
            &line
                .split_whitespace()
                .map(String::from)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn arguments() {
        assert_eq!(parsed(""), Ok(Task::Help));
        assert_eq!(parsed("demo --help"), Ok(Task::Help));
        assert_eq!(parsed("demo"), Ok(Task::Demo { install: true }));
        assert_eq!(
            parsed("demo --no-install"),
            Ok(Task::Demo { install: false })
        );
        assert_eq!(
            parsed("--no-install test"),
            Ok(Task::Test { install: false })
        );
        for wrong in [
            "dmeo",
            "demo test",
            "demo demo",
            "test --install",
            "--no-install",
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

    #[test]
    fn variables_are_shown_before_the_command() {
        let examples = Path::new("target/debug/examples");
        let steps = test_steps(examples, &[("REQUIRE_GPU", "1".into())]);
        let lines: Vec<String> = steps.iter().map(Step::to_string).collect();
        assert!(
            lines.contains(&"REQUIRE_GPU=1 cargo test --workspace".into()),
            "{lines:?}"
        );
        let docs = "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps";
        assert!(lines.contains(&docs.into()), "{lines:?}");
        let example = "target/debug/examples/train_mlp --epochs 2 --seeds 1";
        assert!(lines.contains(&example.into()), "{lines:?}");
    }
}
