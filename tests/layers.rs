//! The layers' reference: against PyTorch's modules and autograd in float64 (tests/data/layers.py writes the
//! arrays), against finite differences of itself, in both orders of memory; and that wrong gradients are found.

use nonlin::layers::{
    BatchNorm, DynamicRelu, Frelu, Gradients, Images, Layer, MetaAcon, Order, Parameter,
    Parameters, Variant,
};
use nonlin::{Error, LayerError};

#[path = "common/layer_trials.rs"]
mod layer_trials;

use layer_trials::{Random, Trial, apart, torch};

#[test]
fn the_reference_is_what_pytorch_computes() {
    let mut worst = (0.0, String::new());
    for case in torch::cases() {
        let listed = case.trial.listed();
        assert!(
            listed.iter().all(|parameter| {
                let given = case.trial.parameters.get(&parameter.name);
                given.map(|values| values.len() as u64) == parameter.elements()
            }),
            "{}: {listed:?}",
            case.name
        );
        let got = torch::named(case.trial.forward(), case.trial.backward());
        match torch::compare(&got, &case.results) {
            Ok(apart) if apart > worst.0 => worst = (apart, case.name),
            Ok(_) => {}
            Err(problem) => panic!("{}: {problem}", case.name),
        }
    }
    println!("worst: {:e} in {}", worst.0, worst.1);
}

/// Each tensor of each case, with one element off by a thousand-millionth of the largest.
#[test]
fn wrong_results_differ_from_pytorch() {
    for case in torch::cases() {
        let right = torch::named(case.trial.forward(), case.trial.backward());
        for (name, values) in &right {
            let largest = values.iter().fold(0.1, |a: f64, b| a.max(b.abs()));
            for wrong in [values[0] + 1e-9 * largest, f64::NAN] {
                let mut off = right.clone();
                off.get_mut(name).unwrap()[0] = wrong;
                let found = torch::compare(&off, &case.results);
                assert!(found.is_err_and(|problem| problem.starts_with(name)));
            }
        }
        let mut less = right.clone();
        less.pop_last();
        assert!(torch::compare(&less, &case.results).is_err());
    }
}

/// What finite differences say of gradients.
#[derive(Default)]
struct Differences {
    compared: usize,
    /// Places where the loss has a kink within the step, so that the difference is no derivative.
    kinks: usize,
    worst: f64,
}

/// Compares each element of each gradient with the difference of the losses a little to both sides of it,
/// from two steps, so that what grows with the step's square falls out.
fn differences(trial: &Trial, gradients: &Gradients) -> Result<Differences, String> {
    const STEP: f64 = 1.0 / 8192.0;
    let mut found = Differences::default();
    let middle = trial.loss();
    let mut compare = |name: &str, gradient: &[f64], loss: &mut dyn FnMut(usize, f64) -> f64| {
        let largest = gradient.iter().fold(0.1, |a: f64, b| a.max(b.abs()));
        for (index, gradient) in gradient.iter().enumerate() {
            let [far, near] = [1.0, 0.5].map(|part| {
                let (up, down) = (loss(index, part * STEP), loss(index, -part * STEP));
                (
                    (up - down) / (2.0 * part * STEP),
                    (up - 2.0 * middle + down).abs() / (part * STEP),
                )
            });
            let want = near.0 + (near.0 - far.0) / 3.0;
            let off = (gradient - want).abs() / largest;
            found.compared += 1;
            if off <= 1e-8 {
                found.worst = found.worst.max(off);
            } else if far.1 > 1e-6 * largest && (gradient - far.0).abs() <= 1.01 * far.1 {
                found.kinks += 1;
            } else {
                return Err(format!("{name}[{index}] is {gradient}, not {want}"));
            }
        }
        Ok(())
    };
    compare("dx", &gradients.dx, &mut |index, step| {
        let mut moved = trial.clone();
        moved.x[index] += step as f32;
        moved.loss()
    })?;
    for (name, gradient) in gradients.parameters.iter() {
        compare(name, gradient, &mut |index, step| {
            let mut moved = trial.clone();
            moved.parameters.get_mut(name).unwrap()[index] += step;
            moved.loss()
        })?;
    }
    Ok(found)
}

#[test]
fn gradients_are_differences_of_values() {
    let mut random = Random(1);
    for kind in 0..3 {
        let mut all = Differences::default();
        for _ in 0..60 {
            let trial = random.trial(kind);
            let gradients = trial.backward();
            let learned = trial.listed().into_iter().filter(|p| p.learned);
            let mut names: Vec<String> = learned.map(|p| p.name).collect();
            names.sort();
            assert!(gradients.parameters.iter().map(|(name, _)| name).eq(names));
            let found = differences(&trial, &gradients).unwrap_or_else(|problem| {
                panic!("{:?}, {:?}: {problem}", trial.layer, trial.images)
            });
            all.compared += found.compared;
            all.kinks += found.kinks;
            all.worst = all.worst.max(found.worst);
        }
        println!(
            "{} compared, {} at kinks, worst {:e}",
            all.compared, all.kinks, all.worst
        );
        assert!(all.compared > 3000 && all.kinks * 200 < all.compared);
    }
}

/// Each gradient with one element off by a thousandth of the largest.
#[test]
fn wrong_gradients_differ_from_differences() {
    let mut random = Random(2);
    for kind in 0..3 {
        for _ in 0..10 {
            let trial = random.trial(kind);
            let right = trial.backward();
            let off = |values: &mut [f64]| {
                let largest = values.iter().fold(0.1, |a: f64, b| a.max(b.abs()));
                *values.last_mut().unwrap() += 1e-3 * largest;
            };
            let mut wrong = right.clone();
            off(&mut wrong.dx);
            assert!(differences(&trial, &wrong).is_err());
            for (name, _) in right.parameters.iter() {
                let mut wrong = right.clone();
                off(wrong.parameters.get_mut(name).unwrap());
                let found = differences(&trial, &wrong);
                assert!(found.is_err_and(|problem| problem.starts_with(name)));
            }
        }
    }
}

/// Gradients through a batch norm that forget that its statistics depend on x: those of the same norm in
/// evaluation, with the batch's statistics for running ones.
#[test]
fn statistics_taken_for_constants_are_found() {
    let mut random = Random(3);
    let mut tried = 0;
    while tried < 10 {
        let mut trial = random.trial(tried % 2);
        let values = match trial.layer {
            Layer::Frelu(_) => trial.images.samples * trial.images.height * trial.images.width,
            _ => trial.images.samples,
        } as f64;
        let Some(norm) = trial.norm().filter(|_| values > 2.0) else {
            continue;
        };
        // With a momentum of 1 the new running statistics are the batch's.
        (norm.training, norm.momentum) = (true, 1.0);
        let y = trial.forward();
        let mut frozen = trial.clone();
        frozen.norm().unwrap().training = false;
        for (name, mut statistic) in y.running {
            if name.contains("var") {
                for v in &mut statistic {
                    *v *= (values - 1.0) / values;
                }
            }
            frozen.parameters.extend([(name, statistic)]);
        }
        assert!(apart(&frozen.forward().y, &y.y) < 1e-12);
        assert!(differences(&trial, &trial.backward()).is_ok());
        assert!(differences(&trial, &frozen.backward()).is_err());
        tried += 1;
    }
}

/// The gradient of x without the way over the means: that of a layer whose fc1 looks at nothing, and has in its
/// bias what it saw.
#[test]
fn a_forgotten_way_over_the_means_is_found() {
    let mut random = Random(4);
    for kind in [1, 2, 1, 2, 1, 2] {
        let mut trial = random.trial(kind);
        trial.images.samples = 1;
        trial.images.order = Order::Nchw;
        let elements = trial.images.elements().unwrap() as usize;
        trial.x.truncate(elements);
        trial.dy.truncate(elements);
        if let Layer::MetaAcon(layer) = &mut trial.layer {
            layer.norm = None;
        }
        let listed = trial.listed();
        let kept = trial.parameters.into_iter();
        trial.parameters = kept
            .filter(|(name, _)| listed.iter().any(|p| p.name == *name))
            .collect();

        let places = (trial.images.height * trial.images.width) as usize;
        let planes = trial.x.chunks(places);
        let means: Vec<f64> = planes
            .map(|plane| plane.iter().map(|x| f64::from(*x)).sum::<f64>() / places as f64)
            .collect();
        let mut blind = trial.clone();
        let weight = blind.parameters.remove("fc1_weight").unwrap();
        let bias = blind.parameters.get_mut("fc1_bias").unwrap();
        for (bias, row) in bias.iter_mut().zip(weight.chunks(means.len())) {
            *bias += row.iter().zip(&means).map(|(w, m)| w * m).sum::<f64>();
        }
        blind.parameters = blind
            .parameters
            .with("fc1_weight", &vec![0.0; weight.len()]);
        assert!(apart(&blind.forward().y, &trial.forward().y) < 1e-13);
        assert!(differences(&trial, &trial.backward()).is_ok());
        let mut wrong = trial.backward();
        wrong.dx = blind.backward().dx;
        assert!(differences(&trial, &wrong).is_err(), "{trial:?}");
    }
}

/// From NCHW to NHWC.
fn turned<T: Copy>(images: &Images, values: &[T]) -> Vec<T> {
    let [n, c, h, w] =
        [images.samples, images.channels, images.height, images.width].map(|v| v as usize);
    let mut turned = Vec::new();
    for sample in 0..n {
        for place in 0..h * w {
            for channel in 0..c {
                turned.push(values[(sample * c + channel) * h * w + place]);
            }
        }
    }
    turned
}

#[test]
fn both_orders_give_the_same_numbers() {
    let mut random = Random(5);
    for kind in 0..3 {
        for _ in 0..50 {
            let mut trial = random.trial(kind);
            trial.images.order = Order::Nchw;
            let mut other = trial.clone();
            other.images.order = Order::Nhwc;
            (other.x, other.dy) = (
                turned(&trial.images, &trial.x),
                turned(&trial.images, &trial.dy),
            );
            let (outputs, turned_outputs) = (trial.forward(), other.forward());
            assert_eq!(turned(&trial.images, &outputs.y), turned_outputs.y);
            assert_eq!(outputs.running, turned_outputs.running);
            let (gradients, turned_gradients) = (trial.backward(), other.backward());
            assert_eq!(turned(&trial.images, &gradients.dx), turned_gradients.dx);
            assert_eq!(gradients.parameters, turned_gradients.parameters);
        }
    }
}

/// x and dy may be stored in 16 bits, and the parameters too.
#[test]
fn all_elements_are_taken() {
    let mut random = Random(6);
    for kind in 0..3 {
        let trial = random.trial(kind);
        let short = |values: &[f32]| -> Vec<nonlin::half::f16> {
            let values = values.iter().map(|v| nonlin::half::f16::from_f32(*v));
            values.collect()
        };
        let (x, dy) = (short(&trial.x), short(&trial.dy));
        let gradients = trial
            .layer
            .backward(&trial.images, &trial.parameters, &x, &dy);
        assert_eq!(gradients.unwrap(), trial.backward());
    }
    let halves = [nonlin::half::bf16::from_f32(0.5)];
    assert_eq!(
        Parameters::new().with("p", &halves).get("p"),
        Some(&[0.5][..])
    );
}

#[test]
fn a_nan_in_x_is_a_nan_in_y() {
    let mut random = Random(7);
    for kind in 0..3 {
        for _ in 0..10 {
            let mut trial = random.trial(kind);
            trial.x[0] = f32::NAN;
            assert!(trial.forward().y[0].is_nan(), "{trial:?}");
        }
    }
}

/// PyTorch's maximum is NaN where T, or any of the lines, is.
#[test]
fn a_maximum_keeps_nan() {
    let mut random = Random(8);
    for _ in 0..20 {
        let mut trial = random.trial(0);
        trial.parameters.get_mut("weight").unwrap().fill(f64::NAN);
        assert!(trial.forward().y.iter().all(|y| y.is_nan()), "{trial:?}");
        let mut trial = random.trial(2);
        let bias = trial.parameters.get_mut("fc2_bias").unwrap();
        *bias.last_mut().unwrap() = f64::NAN;
        assert!(trial.forward().y.last().unwrap().is_nan(), "{trial:?}");
    }
}

/// A softmax does not change when all its arguments move, however far.
#[test]
fn the_softmax_does_not_overflow() {
    let mut random = Random(9);
    for bias in [1e5, -1e5] {
        let mut trial = random.trial(2);
        if let Layer::DynamicRelu(layer) = &mut trial.layer {
            layer.variant = Variant::C;
        }
        let mut parameters = Parameters::new();
        for parameter in trial.listed() {
            let values = (0..parameter.elements().unwrap()).map(|_| random.number());
            parameters = parameters.with(&parameter.name, &values.collect::<Vec<f64>>());
        }
        trial.parameters = parameters;
        let (y, dx) = (trial.forward().y, trial.backward().dx);
        trial.parameters.get_mut("spatial_bias").unwrap()[0] = bias;
        assert!(apart(&trial.forward().y, &y) < 1e-9);
        assert!(apart(&trial.backward().dx, &dx) < 1e-9);
    }
}

#[test]
fn mistakes_have_typed_errors() {
    let images = Images::nhwc(2, 1, 3, 4);
    let layer = Layer::from(Frelu {
        norm: None,
        ..Frelu::default()
    });
    let x = [0.0f32; 24];
    let given = Parameters::new().with("weight", &[0.0; 36]);
    let error = |parameters: &Parameters, x: &[f32], dy: &[f32]| {
        let error = layer.backward(&images, parameters, x, dy).unwrap_err();
        (error.clone(), error.to_string())
    };
    let (_, text) = error(&Parameters::new(), &x, &x);
    assert_eq!(
        text,
        "frelu needs the parameter weight, of shape [4, 1, 3, 3]"
    );
    let (_, text) = error(&given.clone().with("bias", &[0.0; 4]), &x, &x);
    assert_eq!(text, "frelu has no parameter \"bias\" here; it has weight");
    let (_, text) = error(&Parameters::new().with("weight", &[0.0; 9]), &x, &x);
    assert_eq!(
        text,
        "weight has 9 elements; its shape is [4, 1, 3, 3], which takes 36"
    );
    let (bad, text) = error(&given, &x[1..], &x);
    assert_eq!(
        text,
        "x has 23 elements; its shape is [2, 1, 3, 4], which takes 24"
    );
    let shape = vec![2, 1, 3, 4];
    let name = "x".to_owned();
    assert_eq!(
        bad,
        Error::Layer(LayerError::BadTensor {
            name,
            shape,
            len: 23
        })
    );
    let (_, text) = error(&given, &x, &x[..5]);
    assert!(text.starts_with("dy has 5 elements"), "{text}");

    for bad in [
        Images::nchw(0, 1, 1, 1),
        Images::nchw(1, 0, 1, 1),
        Images::nchw(1, 1, 1, 0),
        Images::nchw(u64::MAX, 2, 1, 1),
        Images::nhwc(1 << 32, 1 << 16, 1 << 15, 2),
    ] {
        for kind in 0..3 {
            let layer = Random(8).layer(kind);
            let found = layer.parameters(&bad);
            assert!(
                matches!(found, Err(Error::Layer(LayerError::BadImages { .. }))),
                "{found:?}"
            );
            let found = Random(8).layer(kind).forward(&bad, &given, &x);
            assert!(
                matches!(found, Err(Error::Layer(LayerError::BadImages { .. }))),
                "{found:?}"
            );
        }
    }
    let endless = Images::nchw(1, u64::MAX / 3, 1, 1);
    let found = Layer::from(DynamicRelu::default()).parameters(&endless);
    assert!(
        matches!(found, Err(Error::Layer(LayerError::BadImages { .. }))),
        "{found:?}"
    );
    // Shapes may be more than can be counted, as long as nothing is made of them.
    let wide = Layer::from(MetaAcon {
        minimum: u64::MAX,
        ..MetaAcon::default()
    });
    let parameters = wide.parameters(&images).unwrap();
    assert_eq!(parameters[2].elements(), None);
    let filled = parameters
        .into_iter()
        .fold(Parameters::new(), |all, p| all.with(&p.name, &[0.0; 4]));
    let text = wide.forward(&images, &filled, &x).unwrap_err().to_string();
    assert!(
        text.ends_with("which takes more than can be counted"),
        "{text}"
    );
}

#[test]
fn settings_without_meaning_are_refused() {
    let images = Images::nchw(1, 2, 1, 1);
    let setting = |found: Result<Vec<Parameter>, Error>| match found {
        Err(Error::Layer(LayerError::BadSetting { setting, .. })) => setting,
        found => panic!("{found:?}"),
    };
    for kernel in [(2, 3), (3, 4), (9, 1), (1, 9), (0, 3), (u64::MAX, 1)] {
        for light in [false, true] {
            let layer = Layer::from(Frelu {
                kernel,
                light,
                ..Frelu::default()
            });
            assert_eq!(setting(layer.parameters(&images)), "kernel");
        }
    }
    let norm = |eps, momentum| {
        let norm = BatchNorm {
            eps,
            momentum,
            training: true,
        };
        let norm = Some(norm);
        let frelu = Layer::from(Frelu {
            norm,
            ..Frelu::default()
        });
        let meta_acon = Layer::from(MetaAcon {
            norm,
            ..MetaAcon::default()
        });
        (
            setting(frelu.parameters(&images)),
            setting(meta_acon.parameters(&images)),
        )
    };
    for eps in [-1e-5, f64::NAN, f64::INFINITY] {
        assert_eq!(norm(eps, 0.1), ("eps", "eps"));
    }
    for momentum in [-0.1, 1.1, f64::NAN] {
        assert_eq!(norm(1e-5, momentum), ("momentum", "momentum"));
    }
    let layer = Layer::from(MetaAcon {
        reduction: 0,
        ..MetaAcon::default()
    });
    assert_eq!(setting(layer.parameters(&images)), "reduction");
    let layer = Layer::from(MetaAcon {
        minimum: 0,
        ..MetaAcon::default()
    });
    assert_eq!(setting(layer.parameters(&images)), "minimum");
    let plain = DynamicRelu::default;
    for (layer, name) in [
        (DynamicRelu { k: 0, ..plain() }, "k"),
        (DynamicRelu { k: 5, ..plain() }, "k"),
        (
            DynamicRelu {
                reduction: 0,
                ..plain()
            },
            "reduction",
        ),
        (
            DynamicRelu {
                lambda_slope: f64::NAN,
                ..plain()
            },
            "lambda_slope",
        ),
        (
            DynamicRelu {
                lambda_intercept: f64::INFINITY,
                ..plain()
            },
            "lambda_intercept",
        ),
        (
            DynamicRelu {
                initial_slopes: vec![0.0; 3],
                ..plain()
            },
            "initial_slopes",
        ),
        (
            DynamicRelu {
                initial_intercepts: vec![f64::NAN],
                ..plain()
            },
            "initial_intercepts",
        ),
        (
            DynamicRelu {
                temperature: 0.0,
                ..plain()
            },
            "temperature",
        ),
        (
            DynamicRelu {
                gamma: Some(-1.0),
                ..plain()
            },
            "gamma",
        ),
    ] {
        assert_eq!(setting(Layer::from(layer).parameters(&images)), name);
    }

    // One value per channel has no variance to train on.
    let training = BatchNorm {
        training: true,
        ..BatchNorm::default()
    };
    let layer = Layer::from(Frelu {
        norm: Some(training),
        ..Frelu::default()
    });
    let mut parameters = Parameters::new();
    for parameter in layer.parameters(&images).unwrap() {
        let ones = vec![1.0; parameter.elements().unwrap() as usize];
        parameters = parameters.with(&parameter.name, &ones);
    }
    let found = layer.forward(&images, &parameters, &[0.0f32; 2]);
    assert!(
        matches!(found, Err(Error::Layer(LayerError::BadImages { .. }))),
        "{found:?}"
    );
}
