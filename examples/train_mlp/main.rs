//! A network that trains: handwritten digits, on the GPU, with activations that are learned along with it.
//!
//! The CPU uploads the images once and reads the results. Matmuls, loss and optimiser are the example's own
//! kernels; `nonlin` does the activations, forward and backward, in the same compute passes, and the gradients
//! of their parameters come from the sweep that takes the gradient back through them. Everything is bound once
//! and recorded in every step.
//!
//! Run it with `cargo run --example train_mlp`. Chains on the command line are trained instead of the usual ones;
//! their operands are learned, one for each hidden unit, from the value that the parameter has by default:
//! `cargo run --example train_mlp -- 'prelu(weight=@w)' 'scale(@s) | bias(@b) | mish'`.
//!
//! Beside each chain with operands, the same is trained with its parameters frozen: from the same weights, with
//! the same images in the same order. The hidden layers are narrow, 16 units, so that it matters what a unit can
//! do. With the usual settings, on Mesa's software adapter, the training loss at the end is, learned beside
//! frozen, as means of five seeds:
//!
//! - prelu 0.84 times as high, lower with 5 of 5 seeds;
//! - acon_c 0.52 times, 5 of 5;
//! - swish 0.99 times, 4 of 5: as good as nothing, and for a reason. x sigmoid(beta x) is the swish of beta x,
//!   divided by beta, and weights before and behind can do both. A learned beta makes no function possible
//!   that was not so before. Of acon_c's three parameters p2 / p1 is what weights cannot do.
//!
//! The digits of the test set are recognised no better for it: learned shapes fit the training set closer.
//! Wider layers have less need of them (`--width 64 --epochs 10 --seeds 3`: prelu 0.98 times, acon_c 0.80).

mod chart;
#[expect(dead_code, reason = "the tests use the rest")]
mod network;

use chart::Curve;
use network::{BATCH, Digits, Network, Own, Result, STEPS, Setting};
use nonlin::{Chain, Gpu};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is trained without chains on the command line.
const CHAINS: [&str; 4] = [
    "relu",
    "prelu(weight=@w)",
    "swish(beta=@b)",
    "acon_c(p1=@p1, p2=@p2, beta=@b)",
];

const USAGE: &str = "\
usage: cargo run --example train_mlp -- [OPTIONS] [CHAIN]...

options:
  --epochs N   how often each image is seen [20]
  --seeds N    how many networks of each chain, from different weights [5]
  --width N    units of each of the two hidden layers [16]
  --rate R     the learning rate of Adam, which falls to zero [0.02]
  --out FILE   where the loss curves are drawn [target/train_mlp.svg]
  -h, --help   show this
";

struct Options {
    chains: Vec<Chain>,
    epochs: usize,
    seeds: u64,
    width: usize,
    rate: f64,
    out: PathBuf,
}

fn main() -> ExitCode {
    let done = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{USAGE}");
            Ok(())
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("train_mlp: {error}");
            ExitCode::FAILURE
        }
    }
}

/// None where help is asked for.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>> {
    let mut options = Options {
        chains: Vec::new(),
        epochs: 20,
        seeds: 5,
        width: 16,
        rate: 0.02,
        out: PathBuf::from("target/train_mlp.svg"),
    };
    while let Some(argument) = arguments.next() {
        if ["-h", "--help"].contains(&argument.as_str()) {
            return Ok(None);
        }
        if !argument.starts_with('-') {
            options.chains.push(argument.parse()?);
            continue;
        }
        if !["--epochs", "--seeds", "--width", "--rate", "--out"].contains(&argument.as_str()) {
            return Err(format!("there is no option {argument}\n\n{USAGE}").into());
        }
        let value = arguments.next();
        let value = value.ok_or_else(|| format!("{argument}: its value is missing\n\n{USAGE}"))?;
        let whole = |most: usize| match value.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(format!(
                "{argument} must be a number from 1 to {most}, not {value:?}"
            )),
        };
        match argument.as_str() {
            "--epochs" => options.epochs = whole(10_000)?,
            "--seeds" => options.seeds = whole(1000)? as u64,
            "--width" => options.width = whole(1024)?,
            "--rate" => match value.parse() {
                Ok(rate) if (0.0..=1.0).contains(&rate) => options.rate = rate,
                _ => return Err(format!("--rate must be from 0 to 1, not {value:?}").into()),
            },
            _ => options.out = value.into(),
        }
    }
    if options.chains.is_empty() {
        for chain in CHAINS {
            options.chains.push(chain.parse()?);
        }
    }
    Ok(Some(options))
}

/// What came of a chain, with each seed.
struct Trained {
    chain: Chain,
    losses: Vec<f64>,
    accuracies: Vec<f64>,
    /// The steps' losses as means of epochs and seeds.
    curve: Vec<f64>,
    parameters: Vec<Learned>,
}

/// A parameter of a layer's activation: what it was, and what it has become in all units.
struct Learned {
    name: String,
    layer: usize,
    from: f32,
    to: Vec<f32>,
}

fn seeds(count: u64) -> String {
    match count {
        1 => "seed 1".into(),
        _ => format!("seeds 1 to {count}"),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn run(options: &Options) -> Result<()> {
    // Everything is read, and refused if need be, before anything is trained.
    let mut pairs = Vec::new();
    for chain in &options.chains {
        let has = !network::learned(chain)?.is_empty();
        let frozen = if has {
            Some(network::frozen(chain)?)
        } else {
            None
        };
        pairs.push((chain, frozen));
    }
    let gpu = Gpu::new()?;
    println!("on {}", nonlin::describe(&gpu.device().adapter_info()));
    println!(
        "{0} -> {1} -> {1} -> {2}, {3} images trained on, {BATCH} a step, {4} epochs, {5}\n",
        network::PIXELS,
        options.width,
        network::DIGITS,
        network::TRAINED,
        options.epochs,
        seeds(options.seeds),
    );
    let own = Own::new(&gpu, options.rate);
    let digits = Digits::new();
    println!(
        "{:<36} {:>13} {:>13}",
        "chain", "training loss", "test accuracy"
    );
    let mut all = Vec::new();
    for (family, (chain, frozen)) in pairs.iter().enumerate() {
        let learned = train(&gpu, &own, &digits, options, chain)?;
        learned.print();
        let frozen = match frozen {
            Some(chain) => Some(train(&gpu, &own, &digits, options, chain)?),
            None => None,
        };
        if let Some(frozen) = &frozen {
            frozen.print();
            learned.compare(frozen);
        }
        all.push((family, false, learned));
        all.extend(frozen.map(|frozen| (family, true, frozen)));
    }
    draw(options, &all)
}

/// Trains a network for each seed.
fn train(
    gpu: &Gpu,
    own: &Own,
    digits: &Digits,
    options: &Options,
    chain: &Chain,
) -> Result<Trained> {
    let initial = network::learned(chain)?;
    let mut trained = Trained {
        chain: chain.clone(),
        losses: Vec::new(),
        accuracies: Vec::new(),
        curve: vec![0.0; options.epochs],
        parameters: Vec::new(),
    };
    for seed in 1..=options.seeds {
        let setting = Setting {
            chain,
            hidden: &[options.width; 2],
            batch: BATCH,
            epochs: options.epochs,
            seed,
        };
        let network = Network::new(gpu, own, &setting, digits)?;
        for _ in 0..options.epochs {
            network.train(STEPS);
        }
        let (loss, accuracy) = network.evaluate()?;
        trained.losses.push(loss);
        trained.accuracies.push(accuracy);
        let history = network.history()?;
        for (mean, epoch) in trained.curve.iter_mut().zip(history.chunks(STEPS)) {
            let sum: f64 = epoch.iter().map(|loss| f64::from(*loss)).sum();
            *mean += sum / (STEPS as u64 * options.seeds) as f64;
        }
        let values = network.parameters()?;
        let learned = network
            .tensors
            .iter()
            .filter(|tensor| tensor.name.starts_with('@'));
        for (index, tensor) in learned.enumerate() {
            if seed == 1 {
                trained.parameters.push(Learned {
                    name: tensor.name.clone(),
                    layer: tensor.layer + 1,
                    from: initial[index % initial.len()].1,
                    to: Vec::new(),
                });
            }
            let to = &mut trained.parameters[index].to;
            to.extend(&values[tensor.range.clone()]);
        }
    }
    Ok(trained)
}

impl Trained {
    /// A line of the table, and one for each parameter.
    fn print(&self) {
        let (loss, accuracy) = (mean(&self.losses), mean(&self.accuracies));
        let chain = self.chain.to_string();
        println!("{chain:<36} {loss:>13.5} {:>11.2} %", 100.0 * accuracy);
        for Learned {
            name,
            layer,
            from,
            to,
        } in &self.parameters
        {
            let low = to.iter().copied().fold(f32::INFINITY, f32::min);
            let high = to.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mean = to.iter().sum::<f32>() / to.len() as f32;
            println!(
                "    {name}, layer {layer}: {from} -> min {low:.3}, mean {mean:.3}, max {high:.3}"
            );
        }
    }

    /// Whether it helped to learn the parameters.
    fn compare(&self, frozen: &Trained) {
        let pairs = self.losses.iter().zip(&frozen.losses);
        let lower = pairs.filter(|(learned, frozen)| learned < frozen).count();
        println!(
            "    learned, the loss is {:.2} times that of frozen; it is lower with {lower} of {} seeds",
            mean(&self.losses) / mean(&frozen.losses),
            self.losses.len()
        );
    }
}

/// Draws the loss curves.
fn draw(options: &Options, all: &[(usize, bool, Trained)]) -> Result<()> {
    let curves: Vec<_> = all
        .iter()
        .map(|(family, frozen, trained)| Curve {
            name: trained.chain.to_string(),
            losses: &trained.curve,
            family: *family,
            frozen: *frozen,
        })
        .collect();
    let title = format!(
        "Training loss by epoch, mean over seeds 1 to {}",
        options.seeds
    );
    let svg = chart::svg(&title, &curves)?;
    let written = |error| format!("{}: {error}", options.out.display());
    if let Some(folder) = options
        .out
        .parent()
        .filter(|folder| *folder != Path::new(""))
    {
        std::fs::create_dir_all(folder).map_err(written)?;
    }
    std::fs::write(&options.out, svg).map_err(written)?;
    println!("\nthe loss curves are in {}", options.out.display());
    Ok(())
}
