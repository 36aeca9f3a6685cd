//! burn's feature `vulkan`, whose kernels are SPIR-V: what of it an adapter's driver is right with. A process of its own
//! tries, since drivers crash on it.

use crate::common::{Result, Trials, host, near, open_alone, tensor, values};
use burn::tensor::{Device, Tensor, activation};
use nonlin_burn::Error;
use std::process::Command;

/// Names the adapter that a process is to try.
const TRY: &str = "NONLIN_BURN_TRIES";

/// The exit code of a process that found matrix products alone wrong.
const NO_PRODUCTS: i32 = 10;

/// What of burn's own a driver is right with.
pub(crate) enum Own {
    All,
    /// Matrix products are wrong.
    NoProducts,
    Nothing(String),
}

/// Where this process is to try an adapter, it does and ends.
pub(crate) fn try_if_asked() {
    let Ok(adapter) = std::env::var(TRY) else {
        return;
    };
    let code = match open_alone(&adapter).and_then(|device| burns_own(&device)) {
        Ok(true) => 0,
        Ok(false) => NO_PRODUCTS,
        Err(error) => {
            eprintln!("{}", error.message().unwrap_or("it failed"));
            1
        }
    };
    crate::common::leave(code)
}

/// What a process of its own found.
pub(crate) fn of(adapter: &str) -> Own {
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this).env(TRY, adapter).output();
    let output = output.expect("this program starts once more");
    match output.status.code() {
        Some(0) => Own::All,
        Some(NO_PRODUCTS) => Own::NoProducts,
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or_default();
            Own::Nothing(format!("{} {last}", output.status))
        }
    }
}

/// Whether products are right on a device; an error where simpler things are not.
fn burns_own(device: &Device) -> Result<bool> {
    let run = |device: &Device| -> Result<[Vec<f32>; 2]> {
        let x: Tensor<2> = tensor(&values(35, 1), [5, 7], device);
        let w: Tensor<2> = tensor(&values(63, 2), [7, 9], device);
        let product = x.clone().matmul(w.clone());
        let y = activation::relu(x.clone() * 2.0 + 1.0).exp().clamp_max(9.0);
        let y = Tensor::cat(vec![y.clone(), y.slice_dim(1, 0..3).floor()], 1);
        let y = y.clone() - y.sum_dim(0);
        Ok([host(y.swap_dims(0, 1))?, host(product)?])
    };
    let ([got, product], [want, by_flex]) = (run(device)?, run(&Device::flex())?);
    near("burn's own", &got, &want, 1e-5)?;
    Ok(near("product", &product, &by_flex, 1e-5).is_ok())
}

/// A device that compiles SPIR-V has no kernels of nonlin until it is shared.
fn needs_sharing(adapter: &str) -> Result {
    let device = open_alone(adapter)?;
    let x: Tensor<1> = tensor(&values(8, 1), [8], &device);
    match nonlin_burn::activation(&"silu".parse()?, x) {
        Err(Error::Device { .. }) => Ok(()),
        other => Err(format!("{:?}", other.map(|_| "it takes WGSL")).into()),
    }
}

pub(crate) fn add(on: &mut Trials) {
    let adapter = on.adapter().to_owned();
    on.add("spirv::needs_sharing", move |_| needs_sharing(&adapter));
}
