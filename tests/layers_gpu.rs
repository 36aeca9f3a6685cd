//! Layers on adapters: against PyTorch's arrays and the f64 reference, at random shapes, in both orders of memory
//! and all dtypes, at odd places of shared buffers; the same bits each time; and that mistakes are found.

mod common;
#[path = "common/layer_trials.rs"]
mod layer_trials;

use common::Trials;
use layer_trials::{Any, Random, Trial, on, torch};
use libtest_mimic::Failed;
use nonlin::layers::{Images, Layer, Order, Parameters};
use nonlin::{Element, Gpu};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// What is allowed, in units of a tensor's largest magnitude: some tens of roundings, what was measured at worst
/// and half as much again. Results of 16 bits are rounded once more.
const TOLERANCE: f64 = 6e-6;

fn main() -> ExitCode {
    common::main(|on| {
        for case in torch::cases() {
            on.add(format!("torch::{}", case.name), move |gpu| {
                let got = computed::<f32>(gpu, &case.trial)?;
                compare(&got, &case.results, TOLERANCE)
            });
        }
    })
}

/// All results under PyTorch's names.
fn computed<T: Element>(gpu: &Gpu, trial: &Trial) -> Result<BTreeMap<String, Vec<f64>>, Failed> {
    let of =
        |values: &[f32]| -> Vec<T> { values.iter().map(|v| T::from_f64(f64::from(*v))).collect() };
    let (x, dy) = (of(&trial.x), of(&trial.dy));
    let (images, parameters) = (&trial.images, &trial.parameters);
    let (y, running) =
        on!(&trial.layer, layer => gpu.layer_forward(layer, images, parameters, &x))?;
    let (dx, gradients) =
        on!(&trial.layer, layer => gpu.layer_backward(layer, images, parameters, &x, &dy))?;
    let wide = |values: Vec<T>| values.into_iter().map(|v| f64::from(v.to_f32())).collect();
    let mut all = BTreeMap::from([("y".to_owned(), wide(y)), ("d.x".to_owned(), wide(dx))]);
    for (prefix, tensors) in [("new", running), ("d", gradients)] {
        for (name, values) in tensors {
            all.insert(format!("{prefix}.{name}"), values);
        }
    }
    Ok(all)
}

fn compare(
    got: &BTreeMap<String, Vec<f64>>,
    want: &BTreeMap<String, Vec<f64>>,
    tolerance: f64,
) -> Result<(), Failed> {
    if !got.keys().eq(want.keys()) {
        return Err(format!("{:?} instead of {:?}", got.keys(), want.keys()).into());
    }
    let mut problems = Vec::new();
    for (name, want) in want {
        let apart = layer_trials::apart(&got[name], want);
        if std::env::var_os("SHOW").is_some() {
            println!("{name} {apart:e}");
        }
        if apart.is_nan() || apart > tolerance {
            problems.push(format!("{name} is {apart:e} off"));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems.join(", ").into())
}
