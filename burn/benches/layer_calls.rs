//! What a call of FReLU, Meta-ACON and Dynamic ReLU costs the host: images so small that the device has next to nothing to
//! do. Microseconds a call, the median of 21 samples of 50 calls each (least and greatest), until the calls have returned and
//! until all is done. `training` has autodiff's graph, backward and norms that train; `frozen` the same without these norms.
//!
//! `cargo bench -p nonlin-burn --bench layer_calls`

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use nonlin_burn::modules::{DynamicReluConfig, FreluConfig, MetaAconConfig};
use std::time::Instant;

const CALLS: usize = 50;
const SAMPLES: usize = 21;
const SHAPE: [usize; 4] = [2, 16, 4, 4];

/// Median, least and greatest.
fn told(mut samples: Vec<f64>) -> String {
    samples.sort_by(f64::total_cmp);
    let (least, greatest) = (samples[0], samples[samples.len() - 1]);
    format!(
        "{:8.1} ({least:.1} to {greatest:.1})",
        samples[samples.len() / 2]
    )
}

fn time(what: &str, device: &Device, call: impl Fn()) -> Result<(), Box<dyn std::error::Error>> {
    let (mut returned, mut done) = (Vec::new(), Vec::new());
    // The first sample compiles kernels.
    for sample in 0..=SAMPLES {
        device.sync()?;
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        let until = start.elapsed();
        device.sync()?;
        if sample > 0 {
            let each = |time: std::time::Duration| time.as_secs_f64() * 1e6 / CALLS as f64;
            returned.push(each(until));
            done.push(each(start.elapsed()));
        }
    }
    println!("{what:24} {} / {}", told(returned), told(done));
    Ok(())
}

fn layer<M: Module>(
    name: &str,
    device: &Device,
    new: impl Fn(&Device) -> M,
    forward: impl Fn(&M, Tensor<4>) -> Tensor<4>,
) -> Result<(), Box<dyn std::error::Error>> {
    let module = new(device);
    let x = Tensor::<4>::random(SHAPE, Distribution::Default, device);
    time(&format!("{name} forward"), device, || {
        _ = forward(&module, x.clone())
    })?;
    let autodiff = device.clone().autodiff();
    let x = Tensor::<4>::random(SHAPE, Distribution::Default, &autodiff);
    let module = new(&autodiff);
    let both = |module: &M| _ = forward(module, x.clone().require_grad()).sum().backward();
    time(&format!("{name} training"), device, || both(&module))?;
    let module = module.freeze();
    time(&format!("{name} frozen"), device, || both(&module))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::default();
    let channels = SHAPE[1];
    let frelu = FreluConfig::new(channels);
    layer(
        "frelu",
        &device,
        |device| frelu.init(device),
        |m, x| m.forward(x),
    )?;
    let meta_acon = MetaAconConfig::new(channels);
    layer(
        "meta_acon",
        &device,
        |device| meta_acon.init(device),
        |m, x| m.forward(x),
    )?;
    let dynamic_relu = DynamicReluConfig::new(channels);
    layer(
        "dynamic_relu",
        &device,
        |device| dynamic_relu.init(device),
        |m, x| m.forward(x),
    )
}
