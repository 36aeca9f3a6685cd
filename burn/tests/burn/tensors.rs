//! Operands of all kinds on tensors of all layouts: values and every gradient beside the f64 reference; beside
//! burn's own functions on its CPU backend; and beside difference quotients.

use crate::common::{Result, Trials, host, near, tensor, values, verdict};
use burn::tensor::{DType, Device, Tensor, activation};
use nonlin::{Chain, Layout, Values, check};
use nonlin_burn::Fused;

/// Shape of x: samples, channels, height, width.
const SHAPE: [usize; 4] = [3, 8, 5, 6];

/// How x lies in memory. All have the same elements in the order of the shape.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lies {
    /// In the order of the shape.
    Plain,
    /// Channels last, as burn's convolutions leave it.
    ChannelsLast,
    /// Axes in another order still.
    Turned,
    /// The half of a larger tensor's last axis, at a place that burn can make a view of.
    Half,
    /// A part of a larger tensor that it cannot.
    Part,
    /// Every sample is the same one.
    Expanded,
}

const LIES: [Lies; 6] = [
    Lies::Plain,
    Lies::ChannelsLast,
    Lies::Turned,
    Lies::Half,
    Lies::Part,
    Lies::Expanded,
];

/// Such a tensor, tracked on a device with autodiff.
fn laid(lies: Lies, shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    let [n, c, h, w] = shape;
    let all =
        |shape: [usize; 4], seed| tensor(&values(shape.iter().product(), seed), shape, device);
    let x: Tensor<4> = match lies {
        Lies::Plain => all(shape, seed),
        Lies::ChannelsLast => all([n, h, w, c], seed).permute([0, 3, 1, 2]),
        Lies::Turned => all([w, c, h, n], seed).permute([3, 1, 2, 0]),
        Lies::Half => all([n, c, h, 128], seed).slice_dim(3, 64..64 + w),
        Lies::Part => {
            all([n + 1, c, h + 1, w + 3], seed).slice([1..n + 1, 0..c, 1..h + 1, 2..w + 2])
        }
        Lies::Expanded => all([1, c, h, w], seed).expand(shape),
    };
    x.detach().set_require_grad(device.is_autodiff())
}

/// Whose an operand's values are.
#[derive(Clone, Copy, Debug)]
enum Whose {
    All,
    Channel,
    SampleChannel,
    Each(Lies),
}

fn operand(whose: Whose, shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    let [n, c, ..] = shape;
    let of = |shape| laid(Lies::Plain, shape, seed, device);
    match whose {
        Whose::All => of([1, 1, 1, 1]),
        Whose::Channel => of([1, c, 1, 1]),
        Whose::SampleChannel => of([n, c, 1, 1]),
        Whose::Each(lies) => laid(lies, shape, seed, device),
    }
}

fn to_dtype(tensor: Tensor<4>, dtype: DType) -> Tensor<4> {
    if tensor.dtype() == dtype {
        return tensor;
    }
    tensor.inner().cast(dtype).autodiff().require_grad()
}

/// A chain and all its gradients, beside the reference.
fn beside_reference(
    device: &Device,
    text: &str,
    lies: Lies,
    shape: [usize; 4],
    kinds: &[Whose],
    dtype: DType,
) -> Result {
    let device = device.clone().autodiff();
    let chain: Chain = text.parse()?;
    let x = to_dtype(laid(lies, shape, 1, &device), dtype);
    let names = chain.operands();
    let operands: Vec<Tensor<4>> = (names.iter().zip(kinds).zip(2..))
        .map(|((_, whose), seed)| to_dtype(operand(*whose, shape, seed, &device), dtype))
        .collect();
    let fused = names.iter().zip(&operands).fold(
        Fused::new(chain.clone()).random(7, 9),
        |fused, (name, operand)| fused.operand(name, operand.clone()),
    );
    let y = fused.forward(x.clone())?;
    let dy = to_dtype(laid(Lies::Plain, shape, 11, &device), dtype).detach();
    let gradients = (y.clone() * dy.clone()).sum().backward();

    let sizes = shape.map(|length| length as u64);
    let layout = Layout::of_shape(&sizes, 1).ok_or("x has channels")?;
    let mut told = Values::new().layout(layout).random(7, 9);
    for (name, operand) in names.iter().zip(&operands) {
        told = told.arg(name, &host(operand.clone().inner())?);
    }
    let (xs, dys) = (host(x.clone().inner())?, host(dy.inner())?);
    // Elements as they are stored: the checker knows from their type how results are rounded.
    let rounded = |values: Vec<f32>| -> Vec<nonlin::half::f16> {
        values
            .into_iter()
            .map(nonlin::half::f16::from_f32)
            .collect()
    };
    let compare = |what: &str, expected: check::Expected, got: Vec<f32>| -> Result {
        let report = match dtype {
            DType::F16 => expected.compare(&rounded(got))?,
            _ => expected.compare(&got)?,
        };
        verdict(what, &report)
    };
    let expected = check::Expected::forward_with(&chain, &xs, &told)?;
    compare("y", expected, host(y.inner())?)?;
    let expected = check::Expected::backward_with(&chain, &xs, &dys, &told)?;
    let dx = x.grad(&gradients).ok_or("x has a gradient")?;
    if dx.dims() != shape {
        return Err(format!("dx has the shape {:?}", dx.dims()).into());
    }
    compare("dx", expected, host(dx)?)?;
    for (name, operand) in names.iter().zip(&operands) {
        if !chain.learnable().contains(name) {
            continue;
        }
        let d = operand
            .grad(&gradients)
            .ok_or("an operand has a gradient")?;
        if d.dims() != operand.dims() {
            return Err(format!("d_{name} has the shape {:?}", d.dims()).into());
        }
        let d = host(d)?;
        let report = match dtype {
            DType::F16 => check::gradient(&chain, &xs, &dys, &told, name, &rounded(d))?,
            _ => check::gradient(&chain, &xs, &dys, &told, name, &d)?,
        };
        verdict(&format!("d_{name}"), &report)?;
    }
    Ok(())
}

/// What burn itself makes of a chain.
type Burn = fn(Tensor<4>, &[Tensor<4>]) -> Tensor<4>;

/// Chains, whose their operands' values are, and the same in burn's own functions.
fn burns() -> Vec<(&'static str, Vec<Whose>, Burn)> {
    let each = Whose::Each(Lies::Plain);
    vec![
        ("relu", vec![], |x, _| activation::relu(x)),
        ("gelu", vec![], |x, _| activation::gelu(x)),
        ("silu", vec![], |x, _| activation::silu(x)),
        ("mish", vec![], |x, _| activation::mish(x)),
        ("softplus", vec![], |x, _| activation::softplus(x, 1.0)),
        ("hardswish", vec![], |x, _| activation::hard_swish(x)),
        ("scale(0.5) | silu | scale(2)", vec![], |x, _| {
            activation::silu(x * 0.5) * 2.0
        }),
        ("prelu(weight=@w)", vec![Whose::Channel], |x, o| {
            activation::relu(x.clone()) - activation::relu(-x) * o[0].clone()
        }),
        ("prelu(weight=@w)", vec![Whose::All], |x, o| {
            activation::relu(x.clone()) - activation::relu(-x) * o[0].clone()
        }),
        ("swish(beta=@b)", vec![Whose::Channel], |x, o| {
            x.clone() * activation::sigmoid(x * o[0].clone())
        }),
        (
            "acon_c(p1=@p, p2=@q, beta=@b)",
            vec![Whose::Channel, Whose::Channel, Whose::SampleChannel],
            |x, o| {
                let d = o[0].clone() - o[1].clone();
                let z = x.clone() * d;
                z.clone() * activation::sigmoid(z * o[2].clone()) + x * o[1].clone()
            },
        ),
        ("silu | gate(@g)", vec![each], |x, o| {
            activation::silu(x) * o[0].clone()
        }),
        (
            "scale(@s) | bias(@b) | gelu | residual(@r)",
            vec![Whose::Channel, Whose::Channel, each],
            |x, o| activation::gelu(x * o[0].clone() + o[1].clone()) + o[2].clone(),
        ),
    ]
}

/// A value, the gradient of x, and those of the operands.
fn all_of(
    device: &Device,
    kinds: &[Whose],
    run: impl FnOnce(Tensor<4>, &[Tensor<4>]) -> Result<Tensor<4>>,
) -> Result<Vec<Vec<f32>>> {
    let device = device.clone().autodiff();
    let x = laid(Lies::Plain, SHAPE, 1, &device);
    let operands: Vec<_> = (kinds.iter().zip(2..))
        .map(|(whose, seed)| operand(*whose, SHAPE, seed, &device))
        .collect();
    let dy = laid(Lies::Plain, SHAPE, 11, &device).detach();
    let y = run(x.clone(), &operands)?;
    let gradients = (y.clone() * dy).sum().backward();
    let mut all = vec![host(y.inner())?];
    for tensor in std::iter::once(&x).chain(&operands) {
        all.push(host(tensor.grad(&gradients).ok_or("it has a gradient")?)?);
    }
    Ok(all)
}

fn ours(chain: &Chain) -> impl FnOnce(Tensor<4>, &[Tensor<4>]) -> Result<Tensor<4>> {
    move |x, operands| {
        let names = chain.operands();
        let fused = names
            .iter()
            .zip(operands)
            .fold(Fused::new(chain.clone()), |fused, (name, operand)| {
                fused.operand(name, operand.clone())
            });
        Ok(fused.forward(x)?)
    }
}

/// Ours on the GPU beside burn's own functions on its CPU backend.
fn beside_burn(device: &Device, text: &str, kinds: &[Whose], burn: Burn) -> Result {
    let got = all_of(device, kinds, ours(&text.parse()?))?;
    let want = all_of(&Device::flex(), kinds, |x, operands| Ok(burn(x, operands)))?;
    for (index, (got, want)) in got.iter().zip(&want).enumerate() {
        // burn's own f32 functions are off by some 1e-6.
        near(&format!("result {index}"), got, want, 2e-5)?;
    }
    Ok(())
}

/// Gradients through burn beside difference quotients of values through burn.
fn beside_differences(device: &Device, text: &str, kinds: &[Whose]) -> Result {
    let chain: Chain = text.parse()?;
    let gradients = all_of(device, kinds, ours(&chain))?;
    let x = laid(Lies::Plain, SHAPE, 1, device);
    let operands: Vec<_> = (kinds.iter().zip(2..))
        .map(|(whose, seed)| operand(*whose, SHAPE, seed, device))
        .collect();
    let dy: Vec<f32> = host(laid(Lies::Plain, SHAPE, 11, device))?;
    let loss = |x: Tensor<4>, operands: &[Tensor<4>]| -> Result<f64> {
        let y = host(ours(&chain)(x, operands)?)?;
        Ok(y.iter()
            .zip(&dy)
            .map(|(y, dy)| f64::from(*y) * f64::from(*dy))
            .sum())
    };
    // In f32, a step this long loses least to rounding; its own error is some 1e-4 of the slopes.
    const STEP: f32 = 1.0 / 64.0;
    let inputs: Vec<Tensor<4>> = std::iter::once(x).chain(operands).collect();
    for (which, input) in inputs.iter().enumerate() {
        let (elements, shape) = (host(input.clone())?, input.dims());
        let gradient = &gradients[1 + which];
        let scale = gradient.iter().fold(0f32, |max, v| max.max(v.abs()));
        for index in (0..elements.len()).step_by(elements.len().div_ceil(7)) {
            let at = |step: f32| -> Result<f64> {
                let mut moved = elements.clone();
                moved[index] += step;
                let mut all = inputs.clone();
                all[which] = tensor(&moved, shape, device);
                loss(all[0].clone(), &all[1..])
            };
            let slope = (at(STEP)? - at(-STEP)?) / f64::from(2.0 * STEP);
            if (slope as f32 - gradient[index]).abs() > 2e-3 * scale + 2e-3 {
                let what = format!("input {which}, element {index}");
                return Err(
                    format!("{what}: {}, but the slope is {slope}", gradient[index]).into(),
                );
            }
        }
    }
    Ok(())
}

/// A gated linear unit of a packed tensor, beside the same of two tensors.
fn packed(device: &Device, chain: &str, shape: [usize; 3]) -> Result {
    let device = device.clone().autodiff();
    let chain: Chain = chain.parse()?;
    let half = shape[2] / 2;
    let elements = values(shape.iter().product(), 5);
    let dy: Tensor<3> = tensor(
        &values(elements.len() / 2, 6),
        [shape[0], shape[1], half],
        &device,
    );
    let run = |packed: bool| -> Result<[Vec<f32>; 2]> {
        let x: Tensor<3> = tensor(&elements, shape, &device).require_grad();
        let y = if packed {
            nonlin_burn::gated(&chain, x.clone())?
        } else {
            let part = |range| x.clone().slice_dim(2, range);
            nonlin_burn::activation(&chain, part(0..half))? * part(half..2 * half)
        };
        let gradients = (y.clone() * dy.clone()).sum().backward();
        Ok([
            host(y.inner())?,
            host(x.grad(&gradients).ok_or("x has one")?)?,
        ])
    };
    let (got, want) = (run(true)?, run(false)?);
    near("y", &got[0], &want[0], 1e-6)?;
    near("dx", &got[1], &want[1], 1e-6)
}

/// Nothing is made of a tensor without elements, and sums over it are zero.
fn empty(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let x = Tensor::<2>::zeros([0, 5], &device).require_grad();
    let w: Tensor<1> = tensor(&values(5, 1), [5], &device).require_grad();
    let y = Fused::new("prelu(weight=@w)".parse()?)
        .operand("w", w.clone())
        .forward(x.clone())?;
    let gradients = y.clone().sum().backward();
    let dx = x.grad(&gradients).ok_or("x has a gradient")?;
    match (y.dims(), dx.dims()) {
        ([0, 5], [0, 5]) => {}
        other => return Err(format!("{other:?}").into()),
    }
    let dw = w.grad(&gradients).ok_or("w has a gradient")?;
    near("d_w", &host(dw)?, &[0.0; 5], 0.0)
}

/// An operand for each element whose shape has other axes of length 1, beside x in an order that is not its shape's.
fn other_ones(device: &Device) -> Result {
    let x: Tensor<2> = tensor(&values(12, 1), [4, 3], device);
    let x = x.transpose();
    let r: Tensor<4> = tensor(&values(12, 2), [3, 1, 4, 1], device);
    let y = Fused::new("residual(@r)".parse()?)
        .operand("r", r.clone())
        .forward(x.clone())?;
    let want = x + r.reshape([3, 4]);
    near("y", &host(y)?, &host(want)?, 0.0)
}

/// The same gradients where burn computes again what it did not keep.
fn checkpointed(device: &Device) -> Result {
    let run = |device: Device| -> Result<Vec<f32>> {
        let x: Tensor<2> = tensor(&values(64, 1), [8, 8], &device).require_grad();
        let inner = (x.clone() * 0.5).exp().sin();
        let y = nonlin_burn::activation(&"gelu | scale(2)".parse()?, inner)?;
        let gradients = y.tanh().sum().backward();
        host(x.grad(&gradients).ok_or("x has a gradient")?)
    };
    let kept = run(device.clone().autodiff())?;
    let again = run(device.clone().autodiff().gradient_checkpointing())?;
    near("dx", &again, &kept, 1e-6)
}

/// Softmax along the last axis and log_softmax along another, beside burn's own, wherever x lies; and what is ahead masked.
fn rows(device: &Device) -> Result {
    let device = device.clone().autodiff();
    for lies in [Lies::Plain, Lies::ChannelsLast, Lies::Half] {
        let dy: Tensor<4> = tensor(&values(SHAPE.iter().product(), 3), SHAPE, &device);
        for (text, axis) in [("softmax", -1), ("log_softmax", 1)] {
            let run = |own: bool| -> Result<[Vec<f32>; 2]> {
                let x = laid(lies, SHAPE, 1, &device);
                let y = match (own, axis) {
                    (true, _) => Fused::new(text.parse()?)
                        .channel_axis(axis)
                        .forward(x.clone())?,
                    (_, 1) => activation::log_softmax(x.clone(), 1),
                    _ => activation::softmax(x.clone(), 3),
                };
                let gradients = (y.clone() * dy.clone()).sum().backward();
                let dx = x.grad(&gradients).ok_or("x has a gradient")?;
                Ok([host(y.inner())?, host(dx)?])
            };
            let (got, want) = (run(true)?, run(false)?);
            near(text, &got[0], &want[0], 1e-5)?;
            near("dx", &got[1], &want[1], 1e-5)?;
        }
        let x = laid(lies, [2, 3, 4, 4], 1, &device);
        let y = Fused::new("causal(0) | softmax".parse()?).forward(x)?;
        let y = host(y.inner())?;
        for (index, y) in y.iter().enumerate() {
            let (query, key) = (index / 4 % 4, index % 4);
            if (*y == 0.0) != (key > query) {
                return Err(format!("{lies:?}: y[{index}] = {y}").into());
            }
        }
    }
    Ok(())
}

/// No gradient is computed for what is not tracked, and what is tracked gets it.
fn partly_tracked(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let x = laid(Lies::Plain, SHAPE, 1, &device).set_require_grad(false);
    let w = operand(Whose::Channel, SHAPE, 2, &device);
    let y = Fused::new("prelu(weight=@w)".parse()?)
        .operand("w", w.clone())
        .forward(x.clone())?;
    let gradients = y.sum().backward();
    if x.grad(&gradients).is_some() {
        return Err("x has a gradient that nobody asked for".into());
    }
    let want: f32 = host(x.inner())?.iter().filter(|x| **x < 0.0).sum();
    let got: f32 = host(w.grad(&gradients).ok_or("w has a gradient")?)?
        .iter()
        .sum();
    near("d_w", &[got], &[want], 1e-5)
}

/// As many operands as a call carries; or as many as the device binds, and more are refused with the numbers.
fn many_operands(device: &Device) -> Result {
    let steps = |count: usize| -> Vec<String> {
        let step = |index: usize| match index % 3 {
            0 => format!("scale(@o{index})"),
            1 => format!("bias(@o{index})"),
            _ => format!("residual(@o{index}) | scale(0.5)"),
        };
        (0..count).map(step).collect()
    };
    let whose = |index: usize| match index % 3 {
        0 => Whose::Channel,
        1 => Whose::All,
        _ => Whose::Each(Lies::ChannelsLast),
    };
    let tracked = device.clone().autodiff();
    for count in (3..=15).rev() {
        let kinds: Vec<Whose> = (0..count).map(whose).collect();
        let text = steps(count).join(" | ");
        let fused = (0..count).fold(Fused::new(text.parse()?), |fused, index| {
            let own = operand(kinds[index], SHAPE, 2, &tracked);
            fused.operand(&format!("o{index}"), own)
        });
        match fused.forward(laid(Lies::Plain, SHAPE, 1, &tracked)) {
            Ok(_) => {
                return beside_reference(device, &text, Lies::Plain, SHAPE, &kinds, DType::F32);
            }
            Err(nonlin_burn::Error::Nonlin(nonlin::Error::Device(
                nonlin::DeviceError::TooManyOperands { operands, limit },
            ))) if operands > limit as usize && operands >= count + 2 => {}
            Err(other) => return Err(other.to_string().into()),
        }
    }
    Err("not even three operands are bound".into())
}

pub(crate) fn add(on: &mut Trials) {
    on.add("tensors::rows", rows);
    let each = |lies| Whose::Each(lies);
    let chains: [(&str, Vec<Whose>); 8] = [
        ("silu", vec![]),
        ("dropout(0.3) | scale(2)", vec![]),
        ("prelu(weight=@w)", vec![Whose::Channel]),
        ("swish(beta=@b)", vec![Whose::All]),
        (
            "acon_c(p1=@p, p2=@q, beta=@b)",
            vec![Whose::Channel, Whose::All, Whose::SampleChannel],
        ),
        ("silu | gate(@g)", vec![each(Lies::Turned)]),
        (
            "silu | gate(@u | scale(@s) | clip(-2, 2)) | gate(@h | sigmoid)",
            vec![each(Lies::Turned), Whose::Channel, Whose::SampleChannel],
        ),
        (
            "scale(@s) | bias(@b) | mish | residual(@r)",
            vec![Whose::Channel, Whose::Channel, each(Lies::Half)],
        ),
    ];
    on.add("tensors::many_operands", many_operands);
    for lies in LIES {
        for (text, kinds) in &chains {
            for (size, shape) in [("whole", SHAPE), ("odd", [3, 5, 3, 7])] {
                let (text, kinds) = (*text, kinds.clone());
                on.add(
                    format!("tensors::{text}::{lies:?}::{size}"),
                    move |device| beside_reference(device, text, lies, shape, &kinds, DType::F32),
                );
            }
        }
    }
    for (text, kinds) in chains {
        on.add(format!("tensors::{text}::f16"), move |device| {
            if !device.supports_dtype(DType::F16) {
                return Ok(());
            }
            beside_reference(device, text, Lies::Plain, SHAPE, &kinds, DType::F16)
        });
    }
    for (text, kinds, burn) in burns() {
        let whose = format!("{kinds:?}");
        let own = kinds.clone();
        on.add(format!("beside_burn::{text}::{whose}"), move |device| {
            beside_burn(device, text, &own, burn)
        });
        // Difference quotients do not see knots.
        if !["relu", "prelu(weight=@w)", "hardswish"].contains(&text) {
            on.add(
                format!("beside_differences::{text}::{whose}"),
                move |device| beside_differences(device, text, &kinds),
            );
        }
    }
    for (text, shape) in [
        ("silu", [3, 5, 64]),
        ("gelu", [2, 7, 6]),
        ("scale(0.5) | sigmoid", [1, 1, 10]),
    ] {
        on.add(format!("packed::{text}"), move |device| {
            packed(device, text, shape)
        });
    }
    on.add("tensors::empty", empty);
    on.add("tensors::other_ones", other_ones);
    on.add("tensors::checkpointed", checkpointed);
    on.add("tensors::partly_tracked", partly_tracked);
    on.add("teeth::another_slope_is_told_from_burn", |device| {
        // The comparison with burn can fail: another function, nearly the same.
        match beside_burn(device, "gelu_tanh", &[], |x, _| activation::gelu(x)) {
            Ok(()) => Err("gelu_tanh passed for gelu".into()),
            Err(_) => Ok(()),
        }
    });
}
