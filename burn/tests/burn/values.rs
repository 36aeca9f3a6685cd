//! Every activation, value and derivative, through burn and its autodiff, beside the f64 reference.

use crate::common::{Result, Trials, host, tensor, verdict};
use burn::tensor::{Device, Tensor};
use nonlin::{Activation, Chain, check};

/// The chain's value and gradient as burn gives them, for inputs that try it: NaN, infinities, knots, tails.
fn chain(device: &Device, chain: &Chain, count: usize) -> Result {
    let xs = check::inputs(chain, count);
    let dys: Vec<f32> = (0..xs.len()).map(|i| [1.0, -0.5, 3.0][i % 3]).collect();
    let device = device.clone().autodiff();
    let x: Tensor<1> = tensor(&xs, [xs.len()], &device).require_grad();
    let dy: Tensor<1> = tensor(&dys, [dys.len()], &device);
    let y = nonlin_burn::activation(chain, x.clone())?;
    verdict("y", &check::forward(chain, &xs, &host(y.clone().inner())?)?)?;
    let gradients = (y * dy).sum().backward();
    let dx = x.grad(&gradients).ok_or("x has a gradient")?;
    verdict("dx", &check::backward(chain, &xs, &dys, &host(dx)?)?)
}

/// The function of an activation is the chain of it, bit for bit.
fn function(
    device: &Device,
    by_name: fn(Tensor<1>) -> Tensor<1>,
    activation: Activation,
) -> Result {
    let xs = check::inputs(&activation.into(), 1000);
    let x: Tensor<1> = tensor(&xs, [xs.len()], device);
    let by_chain = host(nonlin_burn::activation(&activation.into(), x.clone())?)?;
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    if bits(&host(by_name(x))?) == bits(&by_chain) {
        return Ok(());
    }
    Err("the function has other values than the chain".into())
}

macro_rules! functions {
    ($(
        $name:ident [$($alias:literal),*] = $variant:ident
        $({ $($parameter:ident: $default:literal),+ })?, $formula:literal;
    )+) => {
        /// Each activation's function with its parameters' defaults.
        #[expect(
            clippy::approx_constant,
            reason = "a default that is given with six digits"
        )]
        const FUNCTIONS: &[(Activation, fn(Tensor<1>) -> Tensor<1>)] = &[
            $((
                Activation::$variant $({ $($parameter: $default),+ })?,
                // In f64, defaults have digits that f32 has not.
                |x| nonlin_burn::functions::$name(x $($(, f64::from($default as f32))+)?),
            ),)+
        ];
    };
}
nonlin::for_each_activation!(functions);

pub(crate) fn add(on: &mut Trials) {
    for (activation, by_name) in FUNCTIONS {
        let name = activation.name();
        on.add(format!("values::{name}"), move |device| {
            chain(device, &(*activation).into(), 20_000)
        });
        on.add(format!("functions::{name}"), move |device| {
            function(device, *by_name, *activation)
        });
    }
    for text in [
        "scale(0.5) | silu | scale(2)",
        "bias(-1) | gelu | scale(3) | tanh",
        "hardswish | scale(-0.25) | bias(0.5)",
    ] {
        on.add(format!("chains::{text}"), move |device| {
            chain(device, &text.parse()?, 20_000)
        });
    }
    // The harness can fail: kernels with one mistake each go through burn, and must be told.
    let slopes = [
        ("value", "return x * 1.00001;", "return 1.0;"),
        ("derivative", "return x;", "return 1.00001;"),
    ];
    for (what, value, derivative) in slopes {
        on.add(format!("teeth::a_wrong_{what}"), move |device| {
            let text = format!(
                "fn act_off(x: f32) -> f32 {{ {value} }}\nfn act_off_dx(x: f32) -> f32 {{ {derivative} }}\n"
            );
            let wrong = nonlin::Custom::new("off", &[], &text)?;
            let wrong = wrong.with_reference(|x, _| x, |_, _| 1.0);
            match chain(device, &Chain::new().step(wrong), 1000) {
                Ok(()) => Err("the mistake passed".into()),
                Err(failed) if failed.message().is_some_and(|m| m.contains("elements fail")) => Ok(()),
                Err(other) => Err(other),
            }
        });
    }
}
