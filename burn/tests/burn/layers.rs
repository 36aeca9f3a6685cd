//! FReLU, Meta-ACON and Dynamic ReLU as modules, beside nonlin's f64 reference: values, gradients of x and of every
//! parameter, running statistics; in both orders of memory.

use crate::common::{Result, Trials, host, near, tensor, values};
use burn::module::{Module, Param, RunningState};
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{DType, Device, FloatDType, Gradients, Tensor};
use nonlin::layers::{self, Images, Layer, Parameters};
use nonlin_burn::modules::{
    DynamicReluConfig, DynamicReluVariant, Frelu, FreluConfig, MetaAcon, MetaAconConfig,
};

const SHAPE: [usize; 4] = [2, 6, 5, 4];

/// A layer's parameters as nonlin names them, and their gradients.
#[derive(Default)]
struct Told {
    parameters: Parameters,
    gradients: Vec<(String, Vec<f32>)>,
}

impl Told {
    fn put<const D: usize>(
        &mut self,
        name: &str,
        param: &Param<Tensor<D>>,
        gradients: &Gradients,
        transposed: bool,
    ) -> Result {
        let turn = |tensor: Tensor<D>| match transposed {
            true => tensor.transpose(),
            false => tensor,
        };
        let value = host(turn(param.val().inner()))?;
        self.parameters = std::mem::take(&mut self.parameters).with(name, &value);
        let gradient = param
            .val()
            .grad(gradients)
            .ok_or("a parameter has a gradient")?;
        self.gradients
            .push((name.to_owned(), host(turn(gradient))?));
        Ok(())
    }

    fn linear(&mut self, name: &str, linear: &Linear, gradients: &Gradients) -> Result {
        self.put(&format!("{name}_weight"), &linear.weight, gradients, true)?;
        match &linear.bias {
            Some(bias) => self.put(&format!("{name}_bias"), bias, gradients, false),
            None => Ok(()),
        }
    }

    fn norm(&mut self, mark: &str, norm: Option<&BatchNorm>, gradients: &Gradients) -> Result {
        let Some(norm) = norm else { return Ok(()) };
        self.put(&format!("bn{mark}_weight"), &norm.gamma, gradients, false)?;
        self.put(&format!("bn{mark}_bias"), &norm.beta, gradients, false)
    }
}

/// Values that differ from what a module begins with.
fn moved<const D: usize>(param: Param<Tensor<D>>, seed: u64, device: &Device) -> Param<Tensor<D>> {
    param.map(|old| {
        let shape: [usize; D] = old.dims();
        let some = values(shape.iter().product(), seed);
        let some: Vec<f32> = some.iter().map(|v| 0.3 + v / 8.0).collect();
        tensor(&some, shape, device).require_grad()
    })
}

fn moved_linear(linear: Linear, seed: u64, device: &Device) -> Linear {
    Linear {
        weight: moved(linear.weight, seed, device),
        bias: linear.bias.map(|bias| moved(bias, seed + 1, device)),
    }
}

fn moved_norm(norm: Option<BatchNorm>, seed: u64, device: &Device) -> Option<BatchNorm> {
    norm.map(|norm| BatchNorm {
        gamma: moved(norm.gamma, seed, device),
        beta: moved(norm.beta, seed + 1, device),
        ..norm
    })
}

fn x(channels_last: bool, device: &Device) -> Tensor<4> {
    let [n, c, h, w] = SHAPE;
    let x: Tensor<4> = if channels_last {
        tensor(&values(n * c * h * w, 3), [n, h, w, c], device).permute([0, 3, 1, 2])
    } else {
        tensor(&values(n * c * h * w, 3), SHAPE, device)
    };
    x.detach().require_grad()
}

/// A norm's statistics: before anything ran they are 0 and 1.
fn statistics(mark: &str, norm: Option<&BatchNorm>) -> Result<Vec<(String, Vec<f32>)>> {
    let Some(norm) = norm else {
        return Ok(Vec::new());
    };
    Ok(vec![
        (
            format!("running_mean{mark}"),
            host(norm.running_mean.value_sync().inner())?,
        ),
        (
            format!("running_var{mark}"),
            host(norm.running_var.value_sync().inner())?,
        ),
    ])
}

/// Runs a module and compares it with nonlin's layer. `told` gives the parameters and their gradients, `known` the
/// statistics as they are.
fn compare(
    layer: &Layer,
    x: &Tensor<4>,
    forward: impl FnOnce(Tensor<4>) -> Tensor<4>,
    tell: impl FnOnce(&mut Told, &Gradients) -> Result,
    known: impl Fn() -> Result<Vec<(String, Vec<f32>)>>,
) -> Result {
    let mut told = Told::default();
    for (name, values) in known()? {
        told.parameters = std::mem::take(&mut told.parameters).with(&name, &values);
    }
    let dy: Tensor<4> = tensor(&values(SHAPE.iter().product(), 4), SHAPE, &x.device());
    let y = forward(x.clone());
    let gradients = (y.clone() * dy.clone()).sum().backward();
    tell(&mut told, &gradients)?;
    let sizes = SHAPE.map(|length| length as u64);
    let images = Images::nchw(sizes[0], sizes[1], sizes[2], sizes[3]);
    let (xs, dys) = (host(x.clone().inner())?, host(dy.inner())?);
    let want = layer.forward(&images, &told.parameters, &xs)?;
    let back = layer.backward(&images, &told.parameters, &xs, &dys)?;
    let f32s = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<_>>();
    near("y", &host(y.inner())?, &f32s(&want.y), 1e-5)?;
    let dx = x.grad(&gradients).ok_or("x has a gradient")?;
    near("dx", &host(dx)?, &f32s(&back.dx), 1e-4)?;
    for (name, got) in &told.gradients {
        let want = back.parameters.get(name).ok_or("nonlin has it")?;
        near(name, got, &f32s(want), 2e-4)?;
    }
    for (name, got) in known()? {
        let want = want.running.get(&name).or(told.parameters.get(&name));
        near(&name, &got, &f32s(want.ok_or("nonlin has it")?), 1e-5)?;
    }
    Ok(())
}

/// nonlin's norm for a module's.
fn norm(has: bool, training: bool) -> Option<layers::BatchNorm> {
    has.then_some(layers::BatchNorm {
        training,
        ..layers::BatchNorm::default()
    })
}

/// Keeps a norm's statistics as they are.
fn frozen(norm: Option<BatchNorm>) -> Option<BatchNorm> {
    norm.map(|norm| BatchNorm {
        training: Param::from_bool(false),
        ..norm
    })
}

fn frelu(device: &Device, last: bool, kernel: [usize; 2], has: bool, trains: bool) -> Result {
    let device = device.clone().autodiff();
    let mut module = FreluConfig::new(SHAPE[1])
        .with_kernel_size(kernel)
        .with_norm(has)
        .with_bias(!has)
        .init(&device);
    let own = moved_norm(module.norm, 23, &device);
    module.weight = moved(module.weight, 21, &device);
    module.bias = module.bias.map(|bias| moved(bias, 22, &device));
    module.norm = if trains { own } else { frozen(own) };
    let layer = layers::Frelu {
        kernel: (kernel[0] as u64, kernel[1] as u64),
        bias: !has,
        norm: norm(has, trains),
        light: false,
    };
    let tell = |told: &mut Told, gradients: &Gradients| {
        told.put("weight", &module.weight, gradients, false)?;
        if let Some(bias) = &module.bias {
            told.put("bias", bias, gradients, false)?;
        }
        told.norm("", module.norm.as_ref(), gradients)
    };
    let known = || statistics("", module.norm.as_ref());
    compare(
        &layer.into(),
        &x(last, &device),
        |x| module.forward(x),
        tell,
        known,
    )
}

fn meta_acon(device: &Device, last: bool, has: bool) -> Result {
    let device = device.clone().autodiff();
    let mut module = MetaAconConfig::new(SHAPE[1])
        .with_minimum(4)
        .with_norm(has)
        .init(&device);
    // With statistics of their own the norms are as nonlin's are in evaluation: two samples make the gradients
    // behind norms that train differences of nearly equal numbers.
    module.p1 = moved(module.p1, 31, &device);
    module.p2 = moved(module.p2, 32, &device);
    module.fc1 = moved_linear(module.fc1, 33, &device);
    module.fc2 = moved_linear(module.fc2, 35, &device);
    module.norm1 = frozen(moved_norm(module.norm1, 37, &device));
    module.norm2 = frozen(moved_norm(module.norm2, 39, &device));
    let layer = layers::MetaAcon {
        minimum: 4,
        norm: norm(has, false),
        ..layers::MetaAcon::default()
    };
    let tell = |told: &mut Told, gradients: &Gradients| {
        told.put("p1", &module.p1, gradients, false)?;
        told.put("p2", &module.p2, gradients, false)?;
        told.linear("fc1", &module.fc1, gradients)?;
        told.linear("fc2", &module.fc2, gradients)?;
        told.norm("1", module.norm1.as_ref(), gradients)?;
        told.norm("2", module.norm2.as_ref(), gradients)
    };
    let known = || {
        let mut all = statistics("1", module.norm1.as_ref())?;
        all.extend(statistics("2", module.norm2.as_ref())?);
        Ok(all)
    };
    compare(
        &layer.into(),
        &x(last, &device),
        |x| module.forward(x),
        tell,
        known,
    )
}

fn dynamic_relu(device: &Device, last: bool, variant: DynamicReluVariant, k: usize) -> Result {
    let device = device.clone().autodiff();
    let mut module = DynamicReluConfig::new(SHAPE[1])
        .with_variant(variant)
        .with_k(k)
        .init(&device);
    module.fc1 = moved_linear(module.fc1, 41, &device);
    module.fc2 = moved_linear(module.fc2, 43, &device);
    module.spatial_weight = module.spatial_weight.map(|w| moved(w, 45, &device));
    module.spatial_bias = module.spatial_bias.map(|b| moved(b, 46, &device));
    let layer = layers::DynamicRelu {
        variant: match variant {
            DynamicReluVariant::A => layers::Variant::A,
            DynamicReluVariant::B => layers::Variant::B,
            DynamicReluVariant::C => layers::Variant::C,
        },
        k: k as u64,
        reduction: (SHAPE[1] / module.fc1.weight.val().dims()[1]) as u64,
        ..layers::DynamicRelu::default()
    };
    let tell = |told: &mut Told, gradients: &Gradients| {
        told.linear("fc1", &module.fc1, gradients)?;
        told.linear("fc2", &module.fc2, gradients)?;
        if let (Some(weight), Some(bias)) = (&module.spatial_weight, &module.spatial_bias) {
            told.put("spatial_weight", weight, gradients, false)?;
            // It has no influence, so its gradient is zero.
            let zero = host(bias.val().grad(gradients).ok_or("it has one")?)?;
            near("d_spatial_bias", &zero, &[0.0], 0.0)?;
            let bias = host(bias.val().inner())?;
            told.parameters = std::mem::take(&mut told.parameters).with("spatial_bias", &bias);
        }
        Ok(())
    };
    let known = || Ok(Vec::new());
    compare(
        &layer.into(),
        &x(last, &device),
        |x| module.forward(x),
        tell,
        known,
    )
}

/// With parameters and statistics of f16 a module computes what it does with the same numbers as f32, and keeps
/// them, and their gradients, as they are.
fn half_parameters(device: &Device) -> Result {
    if !device.supports_dtype(DType::F16) {
        return Ok(());
    }
    let device = device.clone().autodiff();
    let mut module = FreluConfig::new(SHAPE[1]).init(&device);
    module.weight = moved(module.weight, 21, &device);
    module.norm = moved_norm(module.norm, 23, &device);
    let half = in_dtype(&module, FloatDType::F16);
    let full = in_dtype(&half, FloatDType::F32);
    let mut told = Vec::new();
    for (module, dtype) in [(half, DType::F16), (full, DType::F32)] {
        let y = module.forward(x(false, &device));
        let gradients = y.clone().sum().backward();
        let norm = module.norm.ok_or("there is a norm")?;
        let d_weight = module.weight.val().grad(&gradients);
        let d_weight = d_weight.ok_or("the weight has a gradient")?;
        let statistics = [norm.running_mean, norm.running_var].map(|state| state.value_sync());
        for found in statistics
            .iter()
            .map(Tensor::dtype)
            .chain([d_weight.dtype()])
        {
            if found != dtype {
                return Err(format!("{found:?}, not {dtype:?}").into());
            }
        }
        let [mean, var] = statistics.map(|tensor| host(tensor.inner()));
        told.push([host(y.inner())?, host(d_weight)?, mean?, var?]);
    }
    let names = ["y", "d_weight", "running_mean", "running_var"];
    for (name, (half, full)) in names.iter().zip(told[0].iter().zip(&told[1])) {
        near(name, half, full, if *name == "y" { 0.0 } else { 1e-3 })?;
    }
    Ok(())
}

/// The module with its numbers as elements of this type.
fn in_dtype(module: &Frelu, dtype: FloatDType) -> Frelu {
    fn cast<const D: usize>(param: Param<Tensor<D>>, dtype: FloatDType) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.detach().cast(dtype).detach().require_grad())
    }
    let state = |state: &RunningState<Tensor<1>>| RunningState::new(state.value().cast(dtype));
    let mut module = module.clone();
    module.weight = cast(module.weight, dtype);
    module.bias = module.bias.map(|bias| cast(bias, dtype));
    module.norm = module.norm.map(|norm| BatchNorm {
        running_mean: state(&norm.running_mean),
        running_var: state(&norm.running_var),
        gamma: cast(norm.gamma, dtype),
        beta: cast(norm.beta, dtype),
        ..norm
    });
    module
}

/// A module that was called knows when a parameter of it is another one, in whatever way it changed; and a call with
/// the same ones has the same value.
fn changed_parameters(device: &Device) -> Result {
    let device = device.clone().autodiff();
    let x = x(false, &device);
    let mut module = MetaAconConfig::new(SHAPE[1]).init(&device);
    module.norm1 = frozen(moved_norm(module.norm1, 37, &device));
    module.norm2 = frozen(moved_norm(module.norm2, 39, &device));
    let mut before = host(module.forward(x.clone()).inner())?;
    near(
        "again",
        &host(module.forward(x.clone()).inner())?,
        &before,
        0.0,
    )?;
    let mut is_another = |what: &str, module: &MetaAcon| -> Result {
        // One that was never called has to find its parameters as they are.
        let fresh = host(module.clone().forward(x.clone()).inner())?;
        let after = host(module.forward(x.clone()).inner())?;
        near(what, &after, &fresh, 0.0)?;
        if after == before {
            return Err(format!("{what} changed, and the value did not").into());
        }
        before = after;
        Ok(())
    };
    module.fc1.weight = moved(module.fc1.weight, 33, &device);
    is_another("fc1.weight", &module)?;
    module.p2 = module
        .p2
        .map(|p| (p.detach() * 2.0).detach().require_grad());
    is_another("p2", &module)?;
    // The very tensor, with a part of it overwritten: burn writes in place where nobody else holds it.
    module.p1 = module.p1.map(|p| {
        let ones = Tensor::<1>::ones([2], &p.device());
        p.detach()
            .slice_assign(burn::tensor::s![1..3], ones)
            .detach()
            .require_grad()
    });
    is_another("a part of p1", &module)?;
    let norm = module.norm1.as_ref().ok_or("there is a norm")?;
    norm.running_mean.update(Tensor::ones([16], &device) * 0.5);
    norm.running_mean.value_sync();
    is_another("running_mean", &module)?;
    // A step of training renews statistics, and evaluation takes those.
    let mut frelu = FreluConfig::new(SHAPE[1]).init(&device);
    frelu.weight = moved(frelu.weight, 21, &device);
    for _ in 0..2 {
        let loss = frelu.forward(x.clone()).sum();
        loss.backward();
    }
    let evaluated = frelu.clone().freeze();
    let fresh = host(evaluated.clone().forward(x.clone()).inner())?;
    frelu.norm = frozen(frelu.norm);
    near(
        "after training",
        &host(frelu.forward(x).inner())?,
        &fresh,
        0.0,
    )
}

pub(crate) fn add(on: &mut Trials) {
    on.add("frelu::half_parameters", half_parameters);
    on.add("layers::changed_parameters", changed_parameters);
    for (order, last) in [("nchw", false), ("channels_last", true)] {
        for (kernel, has, trains) in [
            ([3, 3], false, false),
            ([3, 3], true, false),
            ([3, 3], true, true),
            ([1, 5], true, false),
        ] {
            let norm = match (has, trains) {
                (false, _) => "bare",
                (true, false) => "norm",
                (true, true) => "training",
            };
            let [height, width] = kernel;
            on.add(
                format!("frelu::{height}x{width}::{norm}::{order}"),
                move |device| frelu(device, last, kernel, has, trains),
            );
        }
        for has in [false, true] {
            let norm = if has { "norm" } else { "bare" };
            on.add(format!("meta_acon::{norm}::{order}"), move |device| {
                meta_acon(device, last, has)
            });
        }
        for (variant, k) in [
            (DynamicReluVariant::A, 2),
            (DynamicReluVariant::B, 2),
            (DynamicReluVariant::B, 4),
            (DynamicReluVariant::C, 2),
        ] {
            on.add(
                format!("dynamic_relu::{variant:?}{k}::{order}"),
                move |device| dynamic_relu(device, last, variant, k),
            );
        }
    }
}
