//! Every activation, value and derivative, over the whole range of f32, on every adapter.
//!
//! `NONLIN_COUNT` asks for another number of inputs per trial. `NONLIN_EXHAUSTIVE=8` takes, in place of
//! samples, every f32 whose magnitude is between 2^-8 and 2^8 (1 to 126 will do; it takes long).

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "common/digits.rs"]
mod digits;

use nonlin::check::{self, Report};
use nonlin::{Activation, Chain, Error, Gpu, Pass};

const COUNT: usize = 1 << 20;

fn main() -> std::process::ExitCode {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u32>().ok());
    let count = number("NONLIN_COUNT").map_or(COUNT, |n| n as usize);
    let exhaustive = number("NONLIN_EXHAUSTIVE").map(|n| n.clamp(1, 126));
    common::main(|trials| {
        // Parameters other than the defaults, where the shaders have special cases for them.
        let others = [
            "swish(beta=0.3)",
            "swish(beta=-20)",
            "leaky_relu(-1.5)",
            "softplus(2.5, 3)",
        ]
        .map(|text| text.parse().expect("a known activation"));
        for activation in Activation::ALL.iter().copied().chain(others) {
            for pass in Pass::ALL {
                trials.add(format!("{activation}::{pass}::f32"), move |gpu| {
                    let chain = Chain::from(activation);
                    let report = match exhaustive {
                        None => compare(gpu, &chain, pass, &check::inputs(&chain, count))?,
                        Some(binades) => every_f32(gpu, &chain, pass, binades)?,
                    };
                    common::verdict(&report)
                });
            }
        }
        for (text, _) in digits::chains() {
            trials.add(format!("digits::{text}"), move |gpu| {
                let chain: Chain = text.parse()?;
                let (x, dy): (Vec<f32>, Vec<f32>) = (
                    digits::array("digits_x.npy"),
                    digits::array("digits_dy.npy"),
                );
                common::verdict(&check::forward(&chain, &x, &gpu.forward(&chain, &x)?)?)?;
                common::verdict(&check::backward(
                    &chain,
                    &x,
                    &dy,
                    &gpu.backward(&chain, &x, &dy)?,
                )?)
            });
        }
    })
}

fn compare(gpu: &Gpu, chain: &Chain, pass: Pass, x: &[f32]) -> Result<Report, Error> {
    match pass {
        Pass::Forward => check::forward(chain, x, &gpu.forward(chain, x)?),
        Pass::Backward => {
            let dy = vec![1.0; x.len()];
            check::backward(chain, x, &dy, &gpu.backward(chain, x, &dy)?)
        }
    }
}

fn every_f32(gpu: &Gpu, chain: &Chain, pass: Pass, binades: u32) -> Result<Report, Error> {
    let mut report = Report::default();
    for exponent in 127 - binades..127 + binades {
        for sign in [0, 1 << 31] {
            let first = sign | exponent << 23;
            let x: Vec<f32> = (first..first + (1 << 23)).map(f32::from_bits).collect();
            report.merge(compare(gpu, chain, pass, &x)?);
        }
    }
    Ok(report)
}
