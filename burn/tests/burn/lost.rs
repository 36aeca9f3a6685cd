//! A device that is lost: what is read from it is burn's error, and nothing panics or hangs.

use crate::common::{Result, Trials, another, tensor, values};
use burn::tensor::Tensor;
use nonlin_burn::functions;

fn lost(adapter: &str) -> Result {
    let (device, setup) = another(adapter)?;
    let numbers = || -> Tensor<1> { tensor(&values(64, 1), [64], &device) };
    let x = numbers();
    functions::mish(x.clone()).try_into_data()?;
    let queued = functions::mish(x.clone());
    setup.device.destroy();
    for (what, y) in [
        ("queued before", queued),
        ("of a tensor of before", functions::silu(x)),
        ("with a kernel that is new", functions::gelu(numbers())),
    ] {
        match y.try_into_data() {
            Ok(_) => return Err(format!("{what}: it can be read").into()),
            Err(error) => println!("{what}: {error}"),
        }
    }
    Ok(())
}

pub(crate) fn add(on: &mut Trials) {
    let adapter = on.adapter().to_owned();
    on.add("lost::device", move |_| lost(&adapter));
}
