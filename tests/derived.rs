//! What is derived of the library's own values, on adapters: beside the reference that shares the formula, and beside the
//! activation's own.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

#[path = "derive/as_f.rs"]
mod as_f;

use common::Share;
use libtest_mimic::Failed;
use nonlin::check::{self, Expected};
use nonlin::{Activation, Chain, Custom, Gpu};

/// Activations whose values are written with the bits of floats.
const OF_BITS: [&str; 3] = ["celu", "quick_gelu", "gelu_tanh"];

/// Of which what is derived keeps to the budget of what was written by hand, everywhere. Others have a kink of the formula in
/// the place of a smooth function's zero, end where f32 does not yet, or are less accurate near roots: it is told.
const KEPT: [&str; 22] = [
    "identity",
    "leaky_relu",
    "prelu",
    "relu_squared",
    "threshold",
    "thresholded_relu",
    "sigmoid",
    "silu",
    "gelu",
    "onnx_hardsigmoid",
    "hardswish",
    "softshrink",
    "hardshrink",
    "shrink",
    "sparse_plus",
    "xielu",
    "acon_b",
    "abs",
    "acon_c",
    "step",
    "smelu",
    "onednn_hardswish",
];

/// Inputs of all kinds.
const COUNT: usize = 20_000;

fn derived(gpu: &Gpu, activation: Activation) -> Result<(), Failed> {
    let name = activation.name();
    let (room, own) = (
        Chain::from(activation),
        Chain::from(Custom::from_value("f", &as_f::as_f(activation))?),
    );
    let x = check::inputs(&room, COUNT);
    let dy = vec![1.0f32; x.len()];
    let y = gpu.forward(&own, &x)?;
    let dx = gpu.backward(&own, &x, &dy)?;
    let report = check::forward(&room, &x, &y)?;
    if !report.passes() {
        return Err(format!("{name}: the value is not the room's: {:?}", report.worst).into());
    }
    let told = Expected::backward(&own, &x, &dy)?.compare(&dx)?;
    let beside = Expected::backward(&room, &x, &dy)?.compare(&dx)?;
    let worst = |report: &check::Report| {
        let worst = report.worst.as_ref();
        worst.map_or_else(|| "exact".to_owned(), ToString::to_string)
    };
    println!(
        "{name}: beside its own reference {}; beside the room's, {} fail: {}",
        worst(&told),
        beside.failed,
        worst(&beside)
    );
    if KEPT.contains(&name) && !beside.passes() {
        return Err(format!("{name}: the budget is not kept: {}", worst(&beside)).into());
    }
    match told.failed {
        0 => Ok(()),
        failed => Err(format!("{name}: {failed} are NaN: {}", worst(&told)).into()),
    }
}

fn main() -> ! {
    common::main(|trials| {
        let share = Share::of(trials);
        let all = Activation::ALL.iter().copied();
        let all = all.filter(|activation| !OF_BITS.contains(&activation.name()));
        for (number, activation) in all.enumerate() {
            if share.has(number) {
                trials.add(activation.name(), move |gpu| derived(gpu, activation));
            }
        }
    })
}
