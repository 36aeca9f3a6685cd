//! Second derivatives: gradients through `Fused::backward`, the user's own activations, and a network that solves a
//! differential equation by them.

#[expect(dead_code, reason = "the example's main")]
#[path = "../../examples/burn_wave.rs"]
mod burn_wave;

use crate::common::{Result, Trials, host, near, tensor, values};
use burn::tensor::Device;
use nonlin::{Chain, Custom, Values, check, reference};
use nonlin_burn::{Error, Fused};

const LEN: usize = 600;

/// The gradients of the sum of v dx, with respect to x and dy, are those of the reference, and burn's own operations before
/// and behind hand them on.
fn gradients(device: &Device) -> Result {
    let device = device.clone().autodiff();
    for text in [
        "tanh",
        "sine(3)",
        "scale(0.5) | silu | scale(2)",
        "relu",
        "gelu | gate(@g)",
    ] {
        let chain: Chain = text.parse()?;
        let [x, dy, v, g] = [1, 2, 3, 4].map(|seed| values(LEN, seed));
        let own = |values: &[f32]| tensor(values, [20, 30], &device);
        let (x_tensor, dy_tensor) = (own(&x).require_grad(), own(&dy).require_grad());
        let mut fused = Fused::new(chain.clone());
        let mut with = Values::new();
        if text.contains("@g") {
            fused = fused.operand("g", own(&g));
            with = with.arg("g", &g);
        }
        // Twice dy goes in, and half of dx comes out.
        let dx = fused.backward(x_tensor.clone(), dy_tensor.clone() * 2.0)?;
        let got = host(dx.clone().inner())?;
        let twice: Vec<f32> = dy.iter().map(|dy| 2.0 * dy).collect();
        let expected = check::Expected::backward_with(&chain, &x, &twice, &with)?;
        crate::common::verdict(text, &expected.compare(&got)?)?;
        let graph = (dx * own(&v) * 0.5).sum().backward();
        let half: Vec<f32> = v.iter().map(|v| 0.5 * v).collect();
        let [of_dy, of_x] = reference::double_backward_with(&chain, &x, &twice, &half, &with)?;
        let f32s = |all: &[f64], by: f64| all.iter().map(|v| (v * by) as f32).collect::<Vec<_>>();
        let grad = |tensor: &burn::tensor::Tensor<2>| {
            let found = tensor.grad(&graph).ok_or("there is no gradient")?;
            host(found)
        };
        near(text, &grad(&x_tensor)?, &f32s(&of_x, 1.0), 1e-6)?;
        near(text, &grad(&dy_tensor)?, &f32s(&of_dy, 2.0), 1e-6)?;
    }
    Ok(())
}

/// x comes from other operations, and has another gradient of first order too; that may be from y, and the slope is from x all
/// the same.
fn beside_a_value(device: &Device) -> Result {
    beside_a_value_of(device, |fused| fused)?;
    beside_a_value_of(device, Fused::keep_y)
}

fn beside_a_value_of(device: &Device, keeping: fn(Fused) -> Fused) -> Result {
    let device = device.clone().autodiff();
    let chain: Chain = "tanh".parse()?;
    let x = values(LEN, 1);
    let x_tensor = tensor(&x, [LEN], &device).require_grad();
    let inner = x_tensor.clone() * 0.5;
    let y = keeping(Fused::new(chain.clone())).forward(inner.clone())?;
    let slope = keeping(Fused::new(chain)).backward(inner.clone(), inner.ones_like())?;
    let graph = (y + slope).sum().backward();
    let want = x.iter().map(|x| {
        let t = (0.5 * f64::from(*x)).tanh();
        // (f' + f'') / 2
        (0.5 * (1.0 - t * t) * (1.0 - 2.0 * t)) as f32
    });
    let want: Vec<f32> = want.collect();
    let got = host(x_tensor.grad(&graph).ok_or("there is no gradient")?)?;
    near("tanh beside its slope", &got, &want, 1e-6)
}

/// An activation of the user's own, of its value alone: value, gradient, and the gradient of that.
fn of_the_users_own(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let hill = Custom::from_value(
        "hill",
        "//#default width = 0.5
        fn act_hill(x: f32, width: f32) -> f32 { return 1.0 / (1.0 + x * x * width); }",
    )?;
    let text = "scale(0.5) | hill(width=@w)";
    let chain = Chain::parse_with(text, &[hill])?;
    let (x, dy) = (values(LEN, 1), values(LEN, 2));
    let with = Values::new().arg("w", &[0.75]);
    let x_tensor = tensor(&x, [LEN], &device).require_grad();
    let w = tensor(&[0.75], [1], &device);
    let tracked = w.clone().require_grad();
    let fused = |w: &burn::tensor::Tensor<1>| Fused::new(chain.clone()).operand("w", w.clone());
    let f32s = |all: &[f64]| all.iter().map(|v| *v as f32).collect::<Vec<_>>();
    let y = fused(&tracked).forward(x_tensor.clone())?;
    let want = reference::forward_with(&chain, &x, &with)?;
    near("value", &host(y.clone().inner())?, &f32s(&want), 1e-6)?;
    let graph = (y * tensor(&dy, [LEN], &device)).sum().backward();
    let grad = |tensor: &burn::tensor::Tensor<1>, graph| {
        host(tensor.grad(graph).ok_or("there is no gradient")?)
    };
    let want = reference::backward_with(&chain, &x, &dy, &with)?;
    near("dx", &grad(&x_tensor, &graph)?, &f32s(&want), 1e-6)?;
    let want = reference::gradient(&chain, &x, &dy, &with, "w")?;
    near("d_w", &grad(&tracked, &graph)?, &f32s(&want), 1e-4)?;
    let dx = fused(&w).backward(x_tensor.clone(), tensor(&dy, [LEN], &device))?;
    let graph = dx.sum().backward();
    let [_, want] = reference::double_backward_with(&chain, &x, &dy, &vec![1.0f32; LEN], &with)?;
    near("d2x", &grad(&x_tensor, &graph)?, &f32s(&want), 1e-5)
}

/// What has no second derivative is refused where it is tracked, and works where it is not.
fn refusals(device: &Device) -> Result {
    let tracked = device.clone().autodiff();
    let ones = |device: &Device| tensor(&[1.0; 4], [4], device);
    let of = |text: &str| -> Result<Fused> { Ok(Fused::new(text.parse()?)) };
    let dx = of("erf")?.backward(ones(device), ones(device))?;
    near("erf", &host(dx)?, &[0.415_107_5; 4], 1e-6)?;
    let told = of("scale(2) | erf")?.backward(ones(&tracked).require_grad(), ones(&tracked));
    match told {
        Err(Error::Nonlin(nonlin::Error::Chain(nonlin::ChainError::NoSecondDerivative {
            step: 2,
            ..
        }))) => {}
        other => return Err(format!("{other:?}").into()),
    }
    let operand = of("tanh | scale(@s)")?.operand("s", ones(&tracked).require_grad());
    let told = operand.backward(ones(&tracked), ones(&tracked));
    if !matches!(told, Err(Error::NoGradient { .. })) {
        return Err(format!("{told:?}").into());
    }
    let told = of("tanh")?.backward(ones(device), tensor(&[1.0; 3], [3], device));
    match told {
        Err(Error::Shape { .. }) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// The example keeps to the error that it states.
fn wave(device: &Device) -> Result {
    let run = burn_wave::train(burn_wave::STEPS, 1, device).map_err(|error| error.to_string())?;
    if run.error <= burn_wave::STATED {
        return Ok(());
    }
    Err(format!("off by {}; losses {:?}", run.error, run.losses).into())
}

pub(crate) fn add(on: &mut Trials) {
    on.add("second::gradients", gradients);
    on.add("second::beside_a_value", beside_a_value);
    on.add("second::of_the_users_own", of_the_users_own);
    on.add("second::refusals", refusals);
    if on.adapter() == "lavapipe" && cfg!(feature = "fusion") {
        on.add("second::wave", wave);
    }
}
