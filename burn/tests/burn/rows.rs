//! Functions of whole rows, attention's weights and the gated norm, beside the same of burn's own operations.

use crate::common::{Result, Trials, host, near, tensor, values};
use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, TensorData, activation};
use nonlin_burn::modules::{AttentionWeightsConfig, RmsNormGatedConfig, masked};
use nonlin_burn::{Fused, functions};

/// Batch, heads, queries, keys.
const SCORES: [usize; 4] = [2, 3, 5, 7];

fn scores(device: &Device) -> Tensor<4> {
    let len = SCORES.iter().product();
    tensor(&values(len, 1), SCORES, device).require_grad()
}

/// The gradients of some tensors, of the sum of y times numbers that differ.
fn gradients<const D: usize>(y: Tensor<D>, of: &[&Tensor<D>]) -> Result<Vec<Vec<f32>>> {
    let shape = y.dims();
    let dy = tensor(&values(shape.iter().product(), 9), shape, &y.device());
    let gradients = (y * dy).sum().backward();
    let each = of.iter().map(|tensor| -> Result<Vec<f32>> {
        host(tensor.grad(&gradients).ok_or("a gradient is missing")?)
    });
    each.collect()
}

/// Two functions of the same scores, in value and gradient.
fn same(
    device: &Device,
    what: &str,
    own: impl Fn(Tensor<4>) -> Tensor<4>,
    other: impl Fn(Tensor<4>) -> Tensor<4>,
) -> Result {
    let run = |function: &dyn Fn(Tensor<4>) -> Tensor<4>| -> Result<[Vec<f32>; 2]> {
        let x = scores(device);
        let y = function(x.clone());
        let mut dx = gradients(y.clone(), &[&x])?;
        Ok([host(y.inner())?, dx.remove(0)])
    };
    let ([y, dx], [want_y, want_dx]) = (run(&own)?, run(&other)?);
    near(what, &y, &want_y, 1e-5)?;
    near(&format!("{what}: dx"), &dx, &want_dx, 1e-5)
}

fn beside_burn(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let of = |dim: i32| {
        let same = |what, own: fn(Tensor<4>, i32) -> Tensor<4>, other: fn(Tensor<4>, i32) -> _| {
            same(&device, what, |x| own(x, dim), |x| other(x, dim))
        };
        same("softmax", functions::softmax, activation::softmax)?;
        same("softmin", functions::softmin, activation::softmin)?;
        same(
            "log_softmax",
            functions::log_softmax,
            activation::log_softmax,
        )?;
        same(
            "quiet_softmax",
            functions::quiet_softmax,
            activation::quiet_softmax,
        )
    };
    of(-1)?;
    of(1)
}

/// Which keys a query does not see: keys of a batch's padding, and keys ahead.
fn hidden(device: &Device, ahead: bool) -> Tensor<4, Bool> {
    let [batch, _, queries, keys] = SCORES;
    let mut hides = Vec::new();
    for sample in 0..batch {
        for query in 0..queries {
            let seen = query + keys - queries;
            hides.extend((0..keys).map(|key| key + sample >= keys || ahead && key > seen));
        }
    }
    Tensor::from_data(TensorData::new(hides, [batch, 1, queries, keys]), device)
}

fn attention(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let config = AttentionWeightsConfig::new(0.25).with_softcap(1.5);
    let plain = config.init(&device)?;
    let causal = config.with_causal(true).init(&device)?;
    let composed = |ahead: bool| {
        let device = device.clone();
        move |x: Tensor<4>| {
            let capped = (x * 0.25 / 1.5).tanh() * 1.5;
            let hides = hidden(&device, ahead).expand(SCORES);
            activation::softmax(capped.mask_fill(hides, f32::NEG_INFINITY), 3)
        }
    };
    let mask = || Some(masked(hidden(&device, false)));
    same(
        &device,
        "masked",
        |x| plain.forward(x, mask()),
        composed(false),
    )?;
    same(
        &device,
        "causal",
        |x| causal.forward(x, mask()),
        composed(true),
    )
}

/// A sink for each head takes its share, and gets its gradient.
fn sinks(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let own = [0.5, -1.0, 2.0];
    let mut module = AttentionWeightsConfig::new(0.5)
        .with_sinks(3)
        .init(&device)?;
    let sinks: Tensor<1> = tensor(&own, [3], &device).require_grad();
    module.sinks = module.sinks.map(|param| param.map(|_| sinks.clone()));
    let wide: Tensor<4> = tensor(&own, [1, 3, 1, 1], &device).require_grad();
    let (x, other_x) = (scores(&device), scores(&device));
    let y = module.forward(x.clone(), None);
    let with = Tensor::cat(
        vec![other_x.clone() * 0.5, wide.clone().expand([2, 3, 5, 1])],
        3,
    );
    let want = activation::softmax(with, 3).slice([0..2, 0..3, 0..5, 0..7]);
    near(
        "y",
        &host(y.clone().inner())?,
        &host(want.clone().inner())?,
        1e-5,
    )?;
    let dy: Tensor<4> = tensor(&values(210, 9), SCORES, &device);
    let (got, wanted) = (
        (y * dy.clone()).sum().backward(),
        (want * dy).sum().backward(),
    );
    let of = |gradient: Option<Tensor<4>>| host(gradient.ok_or("a gradient is missing")?);
    near("dx", &of(x.grad(&got))?, &of(other_x.grad(&wanted))?, 1e-5)?;
    let d_sinks = host(sinks.grad(&got).ok_or("sinks have a gradient")?)?;
    near("d_sinks", &d_sinks, &of(wide.grad(&wanted))?, 1e-5)
}

/// Weights are dropped while the module trains, others at each call, and never elsewhere.
fn dropped(device: &Device) -> Result {
    let config = AttentionWeightsConfig::new(1.0).with_dropout(0.5);
    let zeros =
        |y: Tensor<4>| -> Result<Vec<bool>> { Ok(host(y)?.iter().map(|y| *y == 0.0).collect()) };
    let trains = device.clone().autodiff();
    let module = config.init(&trains)?;
    let x = scores(&trains);
    let first = zeros(module.forward(x.clone(), None).inner())?;
    let second = zeros(module.forward(x.clone(), None).inner())?;
    let count = first.iter().filter(|zero| **zero).count();
    if first == second || !(60..150).contains(&count) {
        return Err(format!("{count} of 210 are dropped").into());
    }
    let kept = zeros(module.freeze().forward(x.clone(), None).inner())?;
    let plain = zeros(config.init(device)?.forward(x.inner(), None))?;
    if kept.contains(&true) || plain.contains(&true) {
        return Err("a weight is dropped where nothing trains".into());
    }
    Ok(())
}

fn gated_norm(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let shape = [3, 5, 12];
    for before in [true, false] {
        let tensors =
            || [1, 2].map(|seed| tensor::<3>(&values(180, seed), shape, &device).require_grad());
        let module = RmsNormGatedConfig::new(12)
            .with_epsilon(1e-3)
            .with_norm_before_gate(before)
            .init(&device);
        let [x, gate] = tensors();
        let y = module.forward(x.clone(), gate.clone());
        let got = gradients(y.clone(), &[&x, &gate])?;
        let [x, gate] = tensors();
        let silu = activation::silu(gate.clone());
        let norm = |x: Tensor<3>| x.clone() / ((x.clone() * x).mean_dim(2) + 1e-3).sqrt();
        let want = match before {
            true => norm(x.clone()) * silu,
            false => norm(x.clone() * silu),
        };
        let wanted = gradients(want.clone(), &[&x, &gate])?;
        near("y", &host(y.inner())?, &host(want.inner())?, 1e-5)?;
        near("dx", &got[0], &wanted[0], 1e-5)?;
        near("d_gate", &got[1], &wanted[1], 1e-5)?;
    }
    Ok(())
}

/// What NumPy would broadcast is, or is refused.
fn broadcast(device: &Device) -> Result {
    // As many samples as channels: the number of values does not say whose they are.
    let shape = [3, 2, 3, 4];
    let x: Tensor<4> = tensor(&values(72, 1), shape, device);
    for own in [
        [3, 2, 1, 1],
        [1, 1, 3, 4],
        [1, 1, 1, 4],
        [3, 1, 1, 1],
        [3, 1, 3, 4],
    ] {
        let g: Tensor<4> = tensor(&values(own.iter().product(), 2), own, device);
        let fused = Fused::new("silu | gate(@g)".parse()?).operand("g", g.clone());
        let y = fused.forward(x.clone())?;
        let want = functions::silu(x.clone()) * g;
        near(&format!("{own:?}"), &host(y)?, &host(want)?, 1e-6)?;
    }
    let g: Tensor<4> = tensor(&values(6, 2), [1, 2, 3, 1], device);
    let fused = Fused::new("silu | gate(@g)".parse()?).operand("g", g);
    let y = fused.forward(x.clone())?;
    if y.dims() != shape {
        return Err("another shape".into());
    }
    let g: Tensor<4> = tensor(&values(8, 2), [1, 2, 1, 4], device);
    match Fused::new("silu | gate(@g)".parse()?)
        .operand("g", g)
        .forward(x)
    {
        Err(nonlin_burn::Error::Shape { operand, .. }) if operand == "@g" => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

pub(crate) fn add(on: &mut Trials) {
    on.add("rows::beside_burn", beside_burn);
    on.add("rows::attention", attention);
    on.add("rows::sinks", sinks);
    on.add("rows::dropped", dropped);
    on.add("rows::gated_norm", gated_norm);
    on.add("rows::broadcast", broadcast);
    on.add("teeth::another_axis_is_told_from_burn", |device| {
        let device = device.clone().autodiff();
        let own = |x| functions::softmax(x, 2);
        match same(&device, "", own, |x| activation::softmax(x, 3)) {
            Ok(()) => Err("softmax along one axis passed for that along another".into()),
            Err(_) => Ok(()),
        }
    });
}
