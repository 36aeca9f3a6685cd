//! Every activation, value and derivative, over the whole range of f32, on every adapter; and all 65,536
//! inputs of f16 and bf16.
//!
//! `NONLIN_COUNT` asks for another number of inputs per trial. `NONLIN_EXHAUSTIVE=8` takes, in place of
//! samples, every f32 whose magnitude is between 2^-8 and 2^8 (1 to 126 will do; it takes long).

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "common/digits.rs"]
mod digits;

use common::Share;
use libtest_mimic::Failed;
use nonlin::check::{self, Finding, Report};
use nonlin::{Activation, Chain, Element, Error, Gpu, Pass, half};

const COUNT: usize = 1 << 17;

/// The adapters on which somebody has walked over all inputs.
const WALKED: [&str; 3] = ["lavapipe", "llvmpipe-gl", "swiftshader"];

fn main() -> ! {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u32>().ok());
    let count = number("NONLIN_COUNT").map_or(COUNT, |n| n as usize);
    let exhaustive = number("NONLIN_EXHAUSTIVE").map(|n| n.clamp(1, 126));
    common::main(|trials| {
        // Parameters other than the defaults, where the shaders have special cases for them.
        let others = [
            "swish(beta=0.3)",
            "swish(beta=-20)",
            "swish(beta=0)",
            "leaky_relu(-1.5)",
            "leaky_relu(0)",
            "softplus(2.5, 3)",
            "elu(0.3)",
            "celu(0.37)",
            "celu(2)",
            "threshold(0.5, -2)",
            "hardtanh(-inf, 7)",
            "hardtanh(-0.5, inf)",
            "shrink(1.5, 0.25)",
            "squareplus(0.5)",
            "squareplus(0)",
            "squareplus(1e30)",
            "onnx_hardsigmoid(-0.7, 0.1)",
            "star_relu(-2, 3)",
            "xielu(2, 0.3, -1, -0.5)",
            "xielu(0.5, 1, 0, -2)",
            "acon_b(0, 2)",
            "acon_b(-0.5)",
            "acon_c(1.3, -0.7, 2)",
            "acon_c(1, 0, 3)",
            "acon_c(2, 1, 0)",
            "sine(30)",
            "snake(0.3)",
            "snake_beta(2, -0.5)",
            "smelu(0.25)",
            "laplace(-1, 2)",
            "situ(3)",
            "onednn_hardswish(0.5, 0.25)",
        ]
        .map(|text| text.parse().expect("a known activation"));
        let share = Share::of(trials);
        let is_walked = WALKED.contains(&trials.adapter());
        // GL has one in three: below it is the compiler that lavapipe has, which takes longer there.
        let is_gl = trials.adapter().ends_with("-gl") && !share.is_whole();
        let all = Activation::ALL.iter().copied().chain(others);
        for (_, activation) in all.enumerate().filter(|(n, _)| !is_gl || n % 3 == 0) {
            for pass in passes(&activation) {
                trials.add(format!("{activation}::{pass}::f32"), move |gpu| {
                    let chain = Chain::from(activation);
                    let report = match exhaustive {
                        None => compare(gpu, &chain, pass, &check::inputs(&chain, count))?,
                        Some(binades) => every_f32(gpu, &chain, pass, binades)?,
                    };
                    if is_walked {
                        as_walked(&activation, pass, &report)?;
                    }
                    common::verdict(&report)
                });
            }
        }
        for (number, activation) in Activation::ALL.iter().copied().enumerate() {
            for pass in passes(&activation) {
                if share.has(number) {
                    trials.add(format!("{activation}::{pass}::f16"), move |gpu| {
                        common::verdict(&every_half::<half::f16>(gpu, &activation.into(), pass)?)
                    });
                }
                if share.has(number + 1) {
                    trials.add(format!("{activation}::{pass}::bf16"), move |gpu| {
                        common::verdict(&every_half::<half::bf16>(gpu, &activation.into(), pass)?)
                    });
                }
            }
        }
        trials.add("walked::an_error_above_what_was_found_fails", |_| {
            let identity = "identity".parse::<Activation>()?;
            let report = check::forward(&identity.into(), &[1.0], &[1.0 + f32::EPSILON])?;
            match as_walked(&identity, Pass::Forward, &report) {
                Err(_) => Ok(()),
                Ok(()) => Err("a ULP passes where all results were right".into()),
            }
        });
        for (text, _) in digits::chains() {
            trials.add(format!("digits::{text}"), move |gpu| {
                let chain: Chain = text.parse()?;
                let (x, dy): (Vec<f32>, Vec<f32>) = (
                    digits::array("digits_x.npy"),
                    digits::array("digits_dy.npy"),
                );
                common::agrees(gpu, &chain, &x, &dy)
            });
        }
    })
}

/// With its default parameters an activation is held to what the walk found.
fn as_walked(activation: &Activation, pass: Pass, report: &Report) -> Result<(), Failed> {
    let is_default = Activation::ALL.contains(activation);
    let (Some([value, derivative]), Some(worst)) = (activation.walked(), &report.worst) else {
        return Ok(());
    };
    let walked = match pass {
        Pass::Forward => value,
        Pass::Backward => derivative,
        _ => return Ok(()),
    };
    if is_default && worst.ulp > walked {
        let Finding { x, ulp, .. } = worst;
        return Err(format!("{ulp:.2} ULP at {x}; over all inputs it was {walked}").into());
    }
    Ok(())
}

/// The passes that an activation has.
fn passes(activation: &Activation) -> impl Iterator<Item = Pass> {
    let chain = Chain::from(*activation);
    Pass::ALL
        .into_iter()
        .filter(move |pass| chain.supports(*pass).is_ok())
}

/// All values of a 16-bit dtype.
fn every_half<T: Element>(gpu: &Gpu, chain: &Chain, pass: Pass) -> Result<Report, Error> {
    let patterns: Vec<u16> = (0..=u16::MAX).collect();
    compare::<T>(gpu, chain, pass, bytemuck::cast_slice(&patterns))
}

fn compare<T: Element>(gpu: &Gpu, chain: &Chain, pass: Pass, x: &[T]) -> Result<Report, Error> {
    match pass {
        Pass::Forward => check::forward(chain, x, &gpu.forward(chain, x)?),
        Pass::Backward => {
            let dy = vec![T::from_f64(1.0); x.len()];
            check::backward(chain, x, &dy, &gpu.backward(chain, x, &dy)?)
        }
        Pass::BackwardFromY => {
            // From the values that there are.
            let y = nonlin::reference::forward(chain, x)?;
            let y: Vec<T> = y.into_iter().map(T::from_f64).collect();
            let dy = vec![T::from_f64(1.0); y.len()];
            check::backward_from_y(chain, &y, &dy, &gpu.backward_from_y(chain, &y, &dy)?)
        }
        Pass::DoubleBackward => {
            let ones = vec![T::from_f64(1.0); x.len()];
            let [ddy, dx] = gpu.double_backward(chain, x, &ones, &ones)?;
            let [mut first, second] = check::double_backward(chain, x, &ones, &ones, &ddy, &dx)?;
            first.merge(second);
            Ok(first)
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
