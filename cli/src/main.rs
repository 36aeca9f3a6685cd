//! The `nonlin` command: the library at the terminal.
//!
//! A contract for scripts: results go to stdout, everything else to stderr; `--json` prints one
//! document; the exit code is 0 when all is well, 1 when a check failed, 2 for wrong usage or
//! input.

mod adapters;
mod arguments;
mod bench;
mod check;
mod define;
mod exhaustive;
mod layers;
mod list;
mod npy;
mod output;
mod pending;
mod plot;
mod report;
mod run;
mod seeded;
mod subject;
mod wgsl;

use clap::{Parser, Subcommand};

/// Neural-network activations on the GPU, forward and backward, in one dispatch
#[derive(Parser)]
#[command(name = "nonlin", version, after_help = EXIT_CODES, after_long_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 a check failed, 2 wrong usage or input.";

const EXAMPLES: &str = "\
A CHAIN is steps with `|` between them, applied from left to right, as one dispatch. A step is
`scale(FACTOR)` or an activation; `nonlin list` shows them all. Arguments go by position or by name.
    'scale(0.5) | silu | scale(2)'
    'leaky_relu(negative_slope=0.1)'
    'scale(@s) | prelu(weight=@w)' takes values from operands: `nonlin run` reads @w from --arg w=FILE

run, check, bench, wgsl and plot take activations of your own: --define my.wgsl, a file of WGSL with the
function act_my_act of x, an f32, and parameters. Its derivatives are derived.

run, check, bench and wgsl also take the name of a layer, frelu, meta_acon, dyrelu_a, dyrelu_b or
dyrelu_c, in the place of a chain.

Without --adapter, the variable WGPU_ADAPTER_NAME chooses the adapter, as --adapter does; without
either, the best one is taken, hardware before software. WGPU_BACKEND (vulkan, metal, dx12, gl)
limits what is looked at.

Examples:
    nonlin adapters
    nonlin run 'scale(0.5) | silu' --x x.npy --y y.npy
    nonlin run 'prelu(weight=@w)' --x x.npy --arg w=w.npy --y y.npy
    nonlin run frelu --set norm=none --x x.npy --arg weight=w.npy --y y.npy
    nonlin check gelu
    nonlin check frelu --set norm=train
    nonlin check --define my.wgsl 'scale(0.5) | my_act'
    nonlin bench
    nonlin report --out my-adapter.json
    nonlin wgsl silu --pass backward --to msl
    nonlin wgsl meta_acon --shape 32x64x28x28
    nonlin plot silu --out silu.svg

Exit codes: 0 fine, 1 a check failed, 2 wrong usage or input.";

#[derive(Subcommand)]
enum Command {
    Adapters(adapters::Args),
    List(list::Args),
    Run(run::Args),
    Check(check::Args),
    Bench(bench::Args),
    Report(report::Args),
    Wgsl(wgsl::Args),
    Plot(plot::Args),
}

/// What a command that could do its work came to.
enum Verdict {
    Fine,
    CheckFailed,
}

/// Why a command could not do its work, in one line for the user.
#[derive(Debug)]
struct Failure(String);

impl Failure {
    /// An I/O error, with what was being done: `cannot read x.npy`.
    fn io(doing: impl std::fmt::Display, error: std::io::Error) -> Self {
        Failure(format!("{doing}: {error}"))
    }
}

impl From<nonlin::Error> for Failure {
    fn from(error: nonlin::Error) -> Self {
        Failure(error.to_string())
    }
}

type Result<T> = std::result::Result<T, Failure>;

fn main() {
    let verdict = match Cli::parse().command {
        Command::Adapters(args) => adapters::adapters(&args),
        Command::List(args) => list::list(&args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Report(args) => report::report(&args),
        Command::Wgsl(args) => wgsl::wgsl(&args),
        Command::Plot(args) => plot::plot(&args),
    };
    let code = match verdict {
        Ok(Verdict::Fine) => 0,
        Ok(Verdict::CheckFailed) => 1,
        Err(Failure(message)) => {
            output::complain(&message);
            2
        }
    };
    // All is written and flushed, so what is left to do is the exit handlers of drivers: a fault there (libglvnd 1.6
    // frees what a thread that has not quite ended will free again) must not change the exit code.
    signal_hook::low_level::exit(code)
}
