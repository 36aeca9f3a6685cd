//! Every activation, value and derivative, over the whole range of f32, on every adapter.

mod common;

use nonlin::{Activation, Chain, Pass, check};

/// Inputs per trial; `NONLIN_COUNT` asks for another number.
const COUNT: usize = 1 << 20;

fn main() -> std::process::ExitCode {
    let count = std::env::var("NONLIN_COUNT").ok().and_then(|n| n.parse().ok()).unwrap_or(COUNT);
    common::main(|trials| {
        // Parameters other than the defaults, where the shaders have special cases for them.
        let others = ["swish(beta=0.3)", "swish(beta=-20)", "leaky_relu(-1.5)", "softplus(2.5, 3)"]
            .map(|text| text.parse().expect("a known activation"));
        for activation in Activation::ALL.iter().copied().chain(others) {
            for pass in Pass::ALL {
                trials.add(format!("{activation}::{pass}::f32"), move |gpu| {
                    let chain = Chain::from(activation);
                    let x = check::inputs(&chain, count);
                    let report = match pass {
                        Pass::Forward => check::forward(&chain, &x, &gpu.forward(&chain, &x)?)?,
                        Pass::Backward => {
                            let dy = vec![1.0; x.len()];
                            check::backward(&chain, &x, &dy, &gpu.backward(&chain, &x, &dy)?)?
                        }
                    };
                    common::verdict(&report)
                });
            }
        }
    })
}
