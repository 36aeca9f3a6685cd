//! Two devices train a network together, as one does with the whole of each batch.

#[expect(dead_code, reason = "the example's main")]
#[path = "../../examples/burn_data_parallel.rs"]
mod example;

use crate::common::{Result, Trials, another, names, tensor, values};
use crate::lost::lose;
use burn::tensor::{Device, Tensor, distributed};
use example::{Run, train};

fn run(devices: &[Device]) -> Result<Run> {
    train(devices, STEPS, |_| ()).map_err(|lost| lost.to_string().into())
}

/// After so many the loss is less than half of what it began at. Later Adam carries roundings on: 3e-5 in step 19 on SwiftShader.
const STEPS: usize = 15;

/// How far a loss may be from that of one device, as a share of it: sums are added in another order, and training carries that on.
const DIFFERENCE: f32 = 1e-5;

/// Parameters equal bit for bit, losses as one device's.
fn compare(alone: &Run, together: &Run) -> Result {
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let [first, rest @ ..] = &together.parameters[..] else {
        return Err("there are no parameters".into());
    };
    if rest.iter().any(|other| bits(other) != bits(first)) {
        return Err("the replicas' parameters differ".into());
    }
    let mut losses = alone.losses.iter().zip(&together.losses);
    let differs = |(one, all): (&f32, &f32)| all.is_nan() || (one - all).abs() > DIFFERENCE * one;
    if alone.losses[STEPS - 1] > 0.8 * alone.losses[0] || losses.any(differs) {
        return Err(format!("{:?}, alone {:?}", together.losses, alone.losses).into());
    }
    Ok(())
}

/// The second device may be on another adapter.
fn two_devices(device: &Device, second: &str) -> Result {
    let (other, _) = another(second)?;
    let alone = run(std::slice::from_ref(device))?;
    let together = run(&[device.clone(), other])?;
    compare(&alone, &together)
}

/// The device of one replica is lost between two steps.
fn lost_device(device: &Device, adapter: &str) -> Result {
    let (other, setup) = another(adapter)?;
    let lose = |step| {
        if step == 2 {
            lose(&setup).expect("it can be polled");
        }
    };
    match train(&[device.clone(), other], 4, lose) {
        Ok(_) => Err("it trained without one of its devices".into()),
        Err(lost) if lost.replica == 1 && lost.step == 2 && lost.reason.contains("poisoned") => {
            Ok(())
        }
        Err(lost) => Err(lost.to_string().into()),
    }
}

/// burn's own way, with burn's own activation. The day that wgpu has it, this fails, and the example should use it.
fn collective(device: &Device, adapter: &str) -> Result {
    let (other, _) = another(adapter)?;
    let devices = vec![device.clone(), other];
    let threads: Vec<_> = devices
        .clone()
        .into_iter()
        .map(|device| {
            let devices = devices.clone();
            std::thread::spawn(move || {
                let x: Tensor<1> = tensor(&values(8, 1), [8], &device);
                let y = burn::tensor::activation::relu(x);
                let sum = distributed::all_reduce(y, distributed::ReduceOperation::Sum, devices);
                sum.resolve()
                    .try_into_data()
                    .map_err(|error| error.to_string())
            })
        })
        .collect();
    for thread in threads {
        // With fusion it is an error of what is read, and without it burn panics.
        let said = match thread.join() {
            Ok(Ok(data)) => return Err(format!("it works: {data:?}").into()),
            Ok(Err(error)) => error,
            Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
        };
        if !said.contains("has no transport between its devices") {
            return Err(said.into());
        }
    }
    Ok(())
}

pub(crate) fn add(on: &mut Trials) {
    let adapter = on.adapter().to_owned();
    // Each pair of adapters once.
    for other in names().into_iter().filter(|other| *other > adapter) {
        on.add(format!("data_parallel::with_{other}"), move |device| {
            two_devices(device, &other)
        });
    }
    for (name, trial) in [
        ("two_devices", two_devices as fn(&Device, &str) -> Result),
        ("lost_device", lost_device),
        ("collective", collective),
    ] {
        let adapter = adapter.clone();
        on.add(format!("data_parallel::{name}"), move |device| {
            trial(device, &adapter)
        });
    }
}
