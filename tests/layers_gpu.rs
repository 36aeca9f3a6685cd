//! Layers on adapters: against PyTorch's arrays and the f64 reference, at random shapes, in both orders of memory
//! and all dtypes, at odd places of one buffer; the same bits each time; and that mistakes are found.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "common/layer_trials.rs"]
mod layer_trials;
#[path = "layers_gpu/one_buffer.rs"]
mod one_buffer;
#[path = "layers_gpu/plans.rs"]
mod plans;

use common::{Share, Trials, is_gl};
use layer_trials::{Random, Trial, torch};
use libtest_mimic::Failed;
use nonlin::check::ExpectedLayer;
use nonlin::half::{bf16, f16};
use nonlin::layers::{
    BatchNorm, DynamicRelu, Frelu, Images, Layer, MetaAcon, Order, Parameters, Variant,
};
use nonlin::{DType, Element, Gpu, Pass};
use one_buffer::at_odd_places;
use plans::{dispatches_and_memory, typed_errors};
use std::collections::BTreeMap;

/// Results under PyTorch's names.
type Results = BTreeMap<String, Vec<f64>>;

fn main() -> ! {
    common::main_with(1, |on| {
        let (share, of_slow) = (Share::of(on), Share::without_gl(on));
        for (number, case) in torch::cases().into_iter().enumerate() {
            let is_here = match is_slow(&case.trial.layer) {
                true if on.adapter().ends_with("-gl") => SLOW_ON_GL.contains(&&*case.name),
                true => of_slow.has(number),
                false => share.has(number),
            };
            if !is_here {
                continue;
            }
            on.add(format!("torch::{}", case.name), move |gpu| {
                let mut want = expected(&case.trial);
                for (name, values) in case.results {
                    let (pass, name) = named(&name);
                    want = want.instead(pass, name, values)?;
                }
                compare::<f32>(&want, &computed::<f32>(gpu, &case.trial)?)
            });
        }
        random(on);
        if share.has(0) {
            on.add("a_large_batch_of_channels", many_channels);
        }
        let at_odd_places = [
            at_odd_places::<f32> as fn(&Gpu) -> _,
            at_odd_places::<f16>,
            at_odd_places::<bf16>,
        ];
        for (number, (dtype, run)) in DType::ALL.iter().zip(at_odd_places).enumerate() {
            if share.has(number) {
                on.add(format!("one_buffer_at_odd_places::{dtype}"), run);
            }
        }
        on.add("the_same_bits", the_same_bits);
        on.add("a_nan_stays", a_nan_stays);
        on.add("dispatches_and_memory", dispatches_and_memory);
        on.add("typed_errors", typed_errors);
        // They need a layer of each kind: see `is_slow`.
        if !on.adapter().ends_with("-gl") {
            on.add("teeth", teeth);
        }
    })
}

/// The cases of FReLU and of dynamic ReLU C that run on GL ([`is_gl`] says why not all).
const SLOW_ON_GL: [&str; 5] = [
    "frelu_plain",
    "frelu_training",
    "frelu_light_evaluation",
    "dynamic_c_last",
    "dynamic_c_gamma",
];

/// Whether GL takes too long to compile it.
fn is_slow(layer: &Layer) -> bool {
    match layer {
        Layer::Frelu(_) => true,
        Layer::DynamicRelu(layer) => layer.variant == Variant::C,
        Layer::MetaAcon(_) => false,
    }
}

/// Random layers and shapes, each order of memory and dtype by itself. The adapters share those of 16 bits.
fn random(on: &mut Trials) {
    let share = Share::without_gl(on);
    for (kind, name) in ["frelu", "meta_acon", "dynamic_relu"]
        .into_iter()
        .enumerate()
    {
        for order in [Order::Nchw, Order::Nhwc] {
            for dtype in DType::ALL {
                let seed = (kind * 100 + order as usize * 10 + *dtype as usize) as u64;
                let trial = format!("random::{name}::{order:?}::{dtype}").to_lowercase();
                if *dtype != DType::F32 && !share.has(kind + order as usize + *dtype as usize) {
                    continue;
                }
                // Of odd lengths, and of whole words, where the adapter shares.
                let rounds = match share.is_whole() {
                    true => 0..2,
                    false => {
                        let round = (kind + order as usize + *dtype as usize) as u64 % 2;
                        round..round + 1
                    }
                };
                on.add(trial, move |gpu| {
                    let mut random = Random(common::seed(gpu) << 32 | seed);
                    for round in rounds {
                        let mut trial = random_trial(&mut random, kind as u64, order, round);
                        if is_gl(gpu) && is_slow(&trial.layer) {
                            continue;
                        }
                        match dtype {
                            DType::F16 => agrees::<f16>(gpu, &mut trial)?,
                            DType::BF16 => agrees::<bf16>(gpu, &mut trial)?,
                            _ => agrees::<f32>(gpu, &mut trial)?,
                        }
                    }
                    Ok(())
                });
            }
        }
    }
}

/// A random trial; every other one has lengths that make whole words.
fn random_trial(random: &mut Random, kind: u64, order: Order, round: u64) -> Trial {
    let mut trial = random.trial(kind);
    let images = &mut trial.images;
    images.order = order;
    if round % 2 == 1 {
        images.channels *= 4;
        images.width = 4 * (1 + random.below(3));
    } else {
        images.width += random.below(70);
        images.height += random.below(70);
    }
    fill(random, &mut trial);
    trial
}

/// Gives a trial numbers for its shape, its parameters as f32 holds them.
fn fill(random: &mut Random, trial: &mut Trial) {
    let elements = trial.images.elements().unwrap();
    let numbers = |random: &mut Random| (0..elements).map(|_| random.number() as f32).collect();
    trial.x = numbers(random);
    trial.dy = numbers(random);
    trial.parameters = Parameters::new();
    for parameter in trial.listed() {
        let values = (0..parameter.elements().unwrap()).map(|_| {
            let wide = parameter.shape.iter().skip(1).product::<u64>().max(1);
            match parameter.name.contains("var") {
                true => random.number().exp() as f32,
                false => (random.number() / (wide as f64).sqrt()) as f32,
            }
        });
        let values: Vec<f32> = values.collect();
        trial.parameters = std::mem::take(&mut trial.parameters).with(&parameter.name, &values);
    }
}

/// All results of the adapter.
fn computed<T: Element>(gpu: &Gpu, trial: &Trial) -> Result<Results, Failed> {
    let of =
        |values: &[f32]| -> Vec<T> { values.iter().map(|v| T::from_f64(f64::from(*v))).collect() };
    let (x, dy) = (of(&trial.x), of(&trial.dy));
    let (images, parameters) = (&trial.images, &trial.parameters);
    let (y, running) = gpu.layer_forward(&trial.layer, images, parameters, &x)?;
    let (dx, gradients) = gpu.layer_backward(&trial.layer, images, parameters, &x, &dy)?;
    let mut all = BTreeMap::from([("y".to_owned(), wide(&y)), ("d.x".to_owned(), wide(&dx))]);
    for (prefix, tensors) in [("new", running), ("d", gradients)] {
        for (name, values) in tensors {
            all.insert(format!("{prefix}.{name}"), values);
        }
    }
    Ok(all)
}

fn wide<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| f64::from(v.to_f32())).collect()
}

/// What a trial should give.
fn expected(trial: &Trial) -> ExpectedLayer {
    let Trial {
        images,
        parameters,
        x,
        dy,
        ..
    } = trial;
    ExpectedLayer::new(&trial.layer, images, parameters, x, dy).unwrap()
}

/// The pass and the name in it of a result under PyTorch's name.
fn named(name: &str) -> (Pass, &str) {
    match name.split_once('.') {
        None => (Pass::Forward, name),
        Some(("new", name)) => (Pass::Forward, name),
        Some((_, "x")) => (Pass::Backward, "dx"),
        Some((_, name)) => (Pass::Backward, name),
    }
}

fn compare<T: Element>(want: &ExpectedLayer, got: &Results) -> Result<(), Failed> {
    let images = |name: &str| -> Vec<T> {
        let values = got.get(name).into_iter().flatten();
        values.map(|value| T::from_f64(*value)).collect()
    };
    let of = |wanted: Pass, images: &str| -> Parameters {
        let tensors = got.iter().filter(|(name, _)| *name != images);
        let tensors = tensors.map(|(name, values)| (named(name), values));
        let tensors = tensors.filter(|((pass, _), _)| *pass == wanted);
        let tensors = tensors.map(|((_, name), values)| (name.to_owned(), values.clone()));
        tensors.collect()
    };
    let mut reports = want.forward(&images("y"), &of(Pass::Forward, "y"))?;
    reports.extend(want.backward(&images("d.x"), &of(Pass::Backward, "d.x"))?);
    // Random trials may have their elements at a tie: then so much is allowed that only NaN and the like is found.
    let problems = reports.iter().filter(|report| report.failed > 0);
    let problems: Vec<_> = problems.map(ToString::to_string).collect();
    match problems.as_slice() {
        [] => Ok(()),
        problems => Err(problems.join(", ").into()),
    }
}

/// The reference's results for what the dtype holds of x and dy.
fn wanted<T: Element>(trial: &mut Trial) -> ExpectedLayer {
    for values in [&mut trial.x, &mut trial.dy] {
        for value in values {
            *value = T::from_f64(f64::from(*value)).to_f32();
        }
    }
    expected(trial)
}

fn agrees<T: Element>(gpu: &Gpu, trial: &mut Trial) -> Result<(), Failed> {
    let want = wanted::<T>(trial);
    let got = computed::<T>(gpu, trial)?;
    compare::<T>(&want, &got)
        .map_err(|failed| format!("{:?} {:?}: {failed:?}", trial.layer, trial.images).into())
}

fn layers(norm: Option<BatchNorm>) -> Vec<Layer> {
    let dynamic = |variant| {
        Layer::DynamicRelu(DynamicRelu {
            variant,
            ..DynamicRelu::default()
        })
    };
    vec![
        Layer::Frelu(Frelu {
            norm,
            bias: true,
            ..Frelu::default()
        }),
        Layer::MetaAcon(MetaAcon {
            norm,
            ..MetaAcon::default()
        }),
        dynamic(Variant::A),
        dynamic(Variant::B),
        dynamic(Variant::C),
    ]
}

/// The same, without those that GL takes too long to compile.
fn quick_layers(gpu: &Gpu, norm: Option<BatchNorm>) -> Vec<Layer> {
    let mut all = layers(norm);
    all.retain(|layer| !(is_gl(gpu) && is_slow(layer)));
    all
}

const TRAINING: BatchNorm = BatchNorm {
    eps: 1e-5,
    momentum: 0.1,
    training: true,
};

fn trial(layer: Layer, images: Images, seed: u64) -> Trial {
    let mut trial = Trial {
        layer,
        images,
        parameters: Parameters::new(),
        x: Vec::new(),
        dy: Vec::new(),
    };
    fill(&mut Random(seed), &mut trial);
    trial
}

/// So many channels that what two layers make of them takes a dispatch for each step.
fn many_channels(gpu: &Gpu) -> Result<(), Failed> {
    let orders = [Images::nchw(1, 4096, 1, 1), Images::nhwc(1, 1, 1, 4096)];
    // The two layers' kernels do not depend on the order in memory.
    for (mut layer, images) in quick_layers(gpu, None)
        .into_iter()
        .zip(orders.into_iter().cycle())
    {
        if let Layer::DynamicRelu(layer) = &mut layer {
            layer.reduction = 64;
        }
        agrees::<f32>(gpu, &mut trial(layer, images, 5))?;
    }
    Ok(())
}

/// Gradients are the same bits in every run, whatever ran before.
fn the_same_bits(gpu: &Gpu) -> Result<(), Failed> {
    let bits = |results: &Results| -> Vec<(String, Vec<u64>)> {
        let bits = |(name, values): (&String, &Vec<f64>)| {
            (name.clone(), values.iter().map(|v| v.to_bits()).collect())
        };
        results.iter().map(bits).collect()
    };
    for layer in quick_layers(gpu, Some(TRAINING)) {
        let trial = trial(layer, Images::nchw(3, 20, 17, 24), 11);
        let first = computed::<f32>(gpu, &trial)?;
        for _ in 0..3 {
            if bits(&computed::<f32>(gpu, &trial)?) != bits(&first) {
                return Err(format!("{:?}: other bits in another run", trial.layer).into());
            }
        }
    }
    Ok(())
}

/// A NaN in x is one in y, and one in dy is one in dx, at the same place.
fn a_nan_stays(gpu: &Gpu) -> Result<(), Failed> {
    for layer in quick_layers(gpu, Some(BatchNorm::default())) {
        for images in [Images::nchw(2, 4, 6, 4), Images::nhwc(2, 5, 3, 3)] {
            let mut with_nan = trial(layer.clone(), images, 3);
            let at = with_nan.x.len() / 2;
            with_nan.x[at] = f32::NAN;
            let results = computed::<f32>(gpu, &with_nan)?;
            if !results["y"][at].is_nan() || !results["d.x"][at].is_nan() {
                return Err(format!("{:?}: the NaN of x is lost", with_nan.layer).into());
            }
            let mut with_nan = trial(layer.clone(), images, 3);
            with_nan.dy[at] = f32::NAN;
            if !computed::<f32>(gpu, &with_nan)?["d.x"][at].is_nan() {
                return Err(format!("{:?}: the NaN of dy is lost", with_nan.layer).into());
            }
        }
    }
    Ok(())
}

/// Each of these layers differs a little from the one it is compared with, and must be found to.
fn teeth(gpu: &Gpu) -> Result<(), Failed> {
    let images = Images::nchw(2, 8, 9, 8);
    let [frelu, meta, _, b, c] =
        <[Layer; 5]>::try_from(layers(Some(TRAINING))).map_err(|_| "layers")?;
    let mut mistakes: Vec<(&str, Trial, Trial)> = Vec::new();
    let mut mistake = |what, layer: &Layer, change: &dyn Fn(&mut Layer, &mut Parameters)| {
        let right = trial(layer.clone(), images, 21);
        let mut off = right.clone();
        change(&mut off.layer, &mut off.parameters);
        mistakes.push((what, right, off));
    };
    mistake("eps", &frelu, &|layer, _| {
        if let Layer::Frelu(Frelu {
            norm: Some(norm), ..
        }) = layer
        {
            norm.eps = 1e-3;
        }
    });
    mistake("the window upside down", &frelu, &|_, parameters| {
        if let Some(weight) = parameters.get_mut("weight") {
            weight.chunks_mut(9).for_each(<[f64]>::reverse);
        }
    });
    mistake("momentum", &meta, &|layer, _| {
        if let Layer::MetaAcon(MetaAcon {
            norm: Some(norm), ..
        }) = layer
        {
            norm.momentum = 0.11;
        }
    });
    mistake("a weight's last digits", &meta, &|_, parameters| {
        if let Some(weight) = parameters.get_mut("fc2_weight") {
            weight[3] *= 1.001;
        }
    });
    mistake("lambda", &b, &|layer, _| {
        if let Layer::DynamicRelu(layer) = layer {
            layer.lambda_intercept = 0.5001;
        }
    });
    mistake("temperature", &c, &|layer, _| {
        if let Layer::DynamicRelu(layer) = layer {
            layer.temperature = 10.01;
        }
    });
    for (what, right, off) in &mistakes {
        let want = expected(right);
        if compare::<f32>(&want, &computed::<f32>(gpu, off)?).is_ok() {
            return Err(format!("nobody sees: {what}").into());
        }
        if let Err(failed) = compare::<f32>(&want, &computed::<f32>(gpu, right)?) {
            return Err(format!("{what}, put right: {failed:?}").into());
        }
    }
    Ok(())
}
