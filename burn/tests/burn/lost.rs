//! A device that is lost: what is read from it is burn's error, and nothing panics or hangs.

use crate::common::{Result, Trials, another, tensor, values};
use burn::tensor::Tensor;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use nonlin_burn::functions;

/// Loses the device, and lets wgpu say so: until it has, burn takes what fails for a mistake of its own, and panics.
pub(crate) fn lose(setup: &WgpuSetup) -> Result {
    setup.device.destroy();
    setup.device.poll(wgpu::PollType::Poll)?;
    Ok(())
}

fn lost(adapter: &str) -> Result {
    let (device, setup) = another(adapter)?;
    let numbers = || -> Tensor<1> { tensor(&values(64, 1), [64], &device) };
    let x = numbers();
    functions::mish(x.clone())
        .try_into_data()?
        .try_into_vec::<f32>()?;
    let queued = functions::mish(x.clone());
    let burns = burn::tensor::activation::relu(numbers());
    lose(&setup)?;
    for (what, y) in [
        ("queued before", queued),
        ("burn's own", burns),
        ("of a tensor of before", functions::silu(x)),
        ("with a kernel that is new", functions::gelu(numbers())),
    ] {
        // The data may be there before their bytes are, and those are what cannot be had.
        let data = y.try_into_data().map_err(|error| error.to_string());
        let read = data.and_then(|data| {
            let values = data.try_into_vec::<f32>();
            values.map_err(|error| format!("{error:?}"))
        });
        match read {
            Ok(values) => return Err(format!("{what}: {values:?}").into()),
            Err(error) if error.contains("poisoned") => {}
            Err(error) => return Err(format!("{what}: {error}").into()),
        }
    }
    Ok(())
}

pub(crate) fn add(on: &mut Trials) {
    let adapter = on.adapter().to_owned();
    on.add("lost::device", move |_| lost(&adapter));
}
