//! Random chains on random data against the reference, forward and backward.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use libtest_mimic::Failed;
use nonlin::{Activation, Chain, Element, Gpu, Step, check, half};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRng, TestRunner};

fn step() -> impl Strategy<Value = Step> {
    let activation =
        (0..Activation::ALL.len(), -3f32..3.0, 0.1f32..3.0).prop_map(|(index, slope, beta)| {
            Step::from(match Activation::ALL[index] {
                Activation::LeakyRelu { .. } => Activation::LeakyRelu {
                    negative_slope: slope,
                },
                Activation::Swish { .. } => Activation::Swish { beta: slope },
                Activation::Softplus { .. } => Activation::Softplus {
                    beta,
                    threshold: 10.0 * beta,
                },
                plain => plain,
            })
        });
    let scale = prop_oneof![-4f32..4.0, Just(0.0), Just(1e-3), Just(300.0)];
    let scale = scale.prop_map(|factor: f32| Step::scale(factor));
    let bias = prop_oneof![-4f32..4.0, Just(0.0)].prop_map(|value: f32| Step::bias(value));
    prop_oneof![2 => scale, 1 => bias, 3 => activation]
}

fn data() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -6f32..6.0,
        2 => -100f32..100.0,
        1 => any::<u32>().prop_map(f32::from_bits),
        1 => prop_oneof![Just(0.0), Just(-3.0), Just(3.0), Just(6.0), Just(f32::NAN), Just(f32::INFINITY)],
    ]
}

/// Random chains on random data, stored as T.
fn random_chains<T: Element + std::fmt::Debug>(gpu: &Gpu) -> Result<(), Failed> {
    let chains = proptest::collection::vec(step(), 1..6);
    let elements = proptest::collection::vec((data(), data()), 1..400);
    // Each new structure compiles two kernels: a few cases are many elements.
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let outcome =
        TestRunner::new_with_rng(config, rng).run(&(chains, elements), |(steps, elements)| {
            let chain = steps.into_iter().fold(Chain::new(), Chain::step);
            let fail = |e: nonlin::Error| TestCaseError::fail(e.to_string());
            prop_assert_eq!(&chain.to_string().parse::<Chain>().map_err(fail)?, &chain);
            let stored = |v: f32| T::from_f64(v.into());
            let (x, dy): (Vec<T>, Vec<T>) = elements
                .into_iter()
                .map(|(x, dy)| (stored(x), stored(dy)))
                .unzip();
            let y = gpu.forward(&chain, &x).map_err(fail)?;
            let dx = gpu.backward(&chain, &x, &dy).map_err(fail)?;
            for report in [
                check::forward(&chain, &x, &y).map_err(fail)?,
                check::backward(&chain, &x, &dy, &dx).map_err(fail)?,
            ] {
                let worst = report
                    .worst
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                prop_assert!(report.passes(), "{}: {}", chain, worst);
            }
            Ok(())
        });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, _)) => Err(reason.to_string().into()),
        Err(TestError::Abort(reason)) => Err(reason.to_string().into()),
    }
}

fn main() -> std::process::ExitCode {
    common::main(|trials| {
        trials.add("random_chains::f32", random_chains::<f32>);
        trials.add("random_chains::f16", random_chains::<half::f16>);
        trials.add("random_chains::bf16", random_chains::<half::bf16>);
        // The promise is made for these by name.
        for text in [
            "scale(0.5) | silu | scale(2)",
            "scale(-0.3) | softplus | scale(7)",
            "mish | scale(0.1) | gelu",
        ] {
            trials.add(text, move |gpu| {
                let chain: Chain = text.parse()?;
                let x = check::inputs(&chain, 1 << 18);
                let dy: Vec<f32> = (0..x.len()).map(|i| (i % 17) as f32 * 0.37 - 2.0).collect();
                common::agrees(gpu, &chain, &x, &dy)
            });
        }
    })
}
