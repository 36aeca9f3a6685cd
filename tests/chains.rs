//! Random chains on random data against the reference, forward and backward; with operands, whose gradients
//! are asked for too, in any layout, dtype and place.

#[path = "chains/case.rs"]
mod case;
#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "chains/run.rs"]
mod run;

use case::{Arg, Case, Data, Take, cases, data, step};
use libtest_mimic::Failed;
use nonlin::check;
use nonlin::half::{bf16, f16};
use nonlin::{Chain, DType, Element, Gpu, Layout};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRng, TestRunner};
use run::{Inputs, Outputs};

/// The same cases every time, others for each `stream` and each adapter; as many as said, or as `PROPTEST_CASES` has
/// it. `PROPTEST_RNG_SEED` draws others.
fn runner(gpu: &Gpu, cases: u32, stream: u64) -> TestRunner {
    let stream = common::seed(gpu) + stream;
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config.rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(stream),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed.wrapping_add(stream)),
    };
    TestRunner::new(config)
}

/// Random chains on random data, stored as T.
fn random_chains<T: Element + std::fmt::Debug>(gpu: &Gpu) -> Result<(), Failed> {
    let chains = proptest::collection::vec(step(), 1..6);
    let elements = proptest::collection::vec((data(), data()), 1..400);
    // Each new structure compiles two kernels: a few cases are many elements.
    let cases = fewer(gpu, T::DTYPE, 9);
    let outcome =
        runner(gpu, cases, T::DTYPE as u64).run(&(chains, elements), |(steps, elements)| {
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

/// Cases of each dtype: a case compiles three to eight kernels.
const CASES: u32 = 8;

/// A third of them on GL, which compiles slowly, and half of them in 16 bits, where loads and stores alone differ.
fn fewer(gpu: &Gpu, dtype: DType, cases: u32) -> u32 {
    let cases = if dtype == DType::F32 {
        cases
    } else {
        cases / 2
    };
    if common::is_gl(gpu) { cases / 3 } else { cases }
}

/// Random chains with operands; `spoil` changes what the reference is told.
fn with_operands(
    mut runner: TestRunner,
    gpu: &Gpu,
    cases: impl Strategy<Value = Case>,
    spoil: impl Fn(&mut Inputs),
) -> Result<(), Failed> {
    let outcome = runner.run(&cases, |case| {
        let parsed = case.chain.to_string().parse::<Chain>();
        prop_assert_eq!(parsed.as_ref(), Ok(&case.chain));
        let mut inputs = case.inputs();
        let outputs = case.run(gpu, &inputs).map_err(TestCaseError::fail)?;
        spoil(&mut inputs);
        case.judge(&inputs, &outputs).map_err(TestCaseError::fail)
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, case) => format!("{case}\n  {reason}").into(),
        TestError::Abort(reason) => reason.to_string().into(),
    })
}

/// A harness that finds nothing wrong proves nothing.
fn teeth(gpu: &Gpu) -> Result<(), Failed> {
    let arg = |name: &str, kind| Arg {
        name: name.into(),
        take: Take {
            kind,
            branch: 0,
            dtype: DType::F32,
            first: 0,
            grad: Some((DType::F32, 0)),
        },
        range: Some((0.25, 2.0)),
    };
    let case = Case {
        chain: "scale(@s) | bias(@b) | prelu(weight=@w) | dropout(0.2)".parse()?,
        args: vec![arg("s", 1), arg("b", 1), arg("w", 3)],
        layout: Layout {
            outer: 5,
            channels: 3,
            inner: 36,
        },
        dtypes: DType::F32.into(),
        first: [0; 4],
        in_place: false,
        data: Data::Tame,
        seed: 1,
        random: [2, 3],
    };
    let inputs = case.inputs();
    let outputs = case.run(gpu, &inputs)?;
    case.judge(&inputs, &outputs)?;
    let found = |what: &str, case: &Case, inputs: &Inputs, outputs: &Outputs| match case
        .judge(inputs, outputs)
    {
        Ok(()) => Err(format!("{what} is not found")),
        Err(_) => Ok(()),
    };
    for (index, arg) in case.args.iter().enumerate() {
        // One element of many; a weight, where it has an effect: below zero, and kept by dropout.
        let mut changed = inputs.clone();
        let below =
            (0..inputs.x.len()).find(|i| outputs.y[4 * i + 3] & 0x80 != 0 && inputs.x[*i] < -0.1);
        let at = if arg.take.kind == 3 {
            below.ok_or("no element is below zero")?
        } else {
            1
        };
        changed.args[index][at] *= 1.001;
        found(
            &format!("another value of {}", arg.name),
            &case,
            &changed,
            &outputs,
        )?;
    }
    let mut swapped = outputs.clone();
    swapped.grads[0].2 = outputs.grads[1].2.clone();
    found("another operand's gradient", &case, &inputs, &swapped)?;
    let mut apart = outputs.clone();
    apart.alone[0] ^= 1;
    apart.same = true;
    found("another dx without gradients", &case, &inputs, &apart)?;
    let other = Case {
        random: [2, 4],
        ..case.clone()
    };
    found(
        "another offset of random numbers",
        &other,
        &inputs,
        &outputs,
    )?;
    // Through all that draws and tells.
    let config = Config {
        cases: 8,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let runner = TestRunner::new_with_rng(config, rng);
    let spoil = |inputs: &mut Inputs| {
        for value in inputs.args.iter_mut().flatten() {
            *value += 0.01;
        }
    };
    match with_operands(runner, gpu, cases(gpu, DType::F32).no_shrink(), spoil) {
        Err(e) if e.message().is_some_and(|text| text.contains("layout")) => Ok(()),
        Err(e) => Err(e),
        Ok(()) => Err("other values of operands are not found".into()),
    }
}

fn main() -> ! {
    common::main(|trials| {
        trials.add("random_chains::f32", random_chains::<f32>);
        trials.add("random_chains::f16", random_chains::<f16>);
        trials.add("random_chains::bf16", random_chains::<bf16>);
        for dtype in DType::ALL {
            trials.add(format!("random_operands::{dtype}"), |gpu| {
                let runner = runner(gpu, fewer(gpu, *dtype, CASES), 16 + *dtype as u64);
                with_operands(runner, gpu, cases(gpu, *dtype), |_| ())
            });
        }
        trials.add("random_operands::teeth", teeth);
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
