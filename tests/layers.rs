//! The layers' reference: against PyTorch's modules and autograd in float64 (tests/data/layers.py writes the
//! arrays), against finite differences of itself, in both orders of memory; and that wrong gradients are found.

use nonlin::Error;
use nonlin::layers::{
    BatchNorm, DynamicRelu, Frelu, Gradients, Images, Layer, MetaAcon, Order, Outputs, Parameter,
    Parameters, Variant,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Any of the layers.
#[derive(Clone, Debug)]
enum Any {
    Frelu(Frelu),
    MetaAcon(MetaAcon),
    DynamicRelu(DynamicRelu),
}

/// Runs the same expression on whichever layer it is.
macro_rules! on {
    ($any:expr, $layer:ident => $body:expr) => {
        match $any {
            Any::Frelu($layer) => $body,
            Any::MetaAcon($layer) => $body,
            Any::DynamicRelu($layer) => $body,
        }
    };
}

/// A layer with all that it works on.
#[derive(Clone, Debug)]
struct Trial {
    layer: Any,
    images: Images,
    parameters: Parameters,
    x: Vec<f32>,
    dy: Vec<f32>,
}

impl Trial {
    fn listed(&self) -> Vec<Parameter> {
        on!(&self.layer, layer => layer.parameters(&self.images)).unwrap()
    }

    fn forward(&self) -> Outputs {
        on!(&self.layer, layer => layer.forward(&self.images, &self.parameters, &self.x)).unwrap()
    }

    fn backward(&self) -> Gradients {
        on!(&self.layer, layer => layer.backward(&self.images, &self.parameters, &self.x, &self.dy))
            .unwrap()
    }

    /// The sum of dy y, whose derivatives the gradients are.
    fn loss(&self) -> f64 {
        let y = self.forward().y;
        y.iter()
            .zip(&self.dy)
            .map(|(y, dy)| y * f64::from(*dy))
            .sum()
    }

    /// The batch norm of the layer, if it has one.
    fn norm(&mut self) -> Option<&mut BatchNorm> {
        match &mut self.layer {
            Any::Frelu(layer) => layer.norm.as_mut(),
            Any::MetaAcon(layer) => layer.norm.as_mut(),
            Any::DynamicRelu(_) => None,
        }
    }
}

/// How far two tensors are apart at worst, in units of the second's largest magnitude. What is zero but for
/// rounding (a bias in front of a norm that trains) is measured in units of a tenth.
fn apart(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let largest = want
        .iter()
        .fold(0.1, |largest: f64, v| largest.max(v.abs()));
    let differences = got.iter().zip(want).map(|(a, b)| (a - b).abs());
    let worse = |worst: f64, d: f64| match worst.is_nan() || d <= worst {
        true => worst,
        false => d, // or NaN
    };
    differences.fold(0.0, worse) / largest
}

/// What is allowed between the reference and PyTorch.
const TOLERANCE: f64 = 2e-13;

mod torch {
    use super::*;

    pub(super) struct Case {
        pub(super) name: String,
        pub(super) trial: Trial,
        /// What PyTorch computes: "y", "new." and "d." with names behind.
        pub(super) results: BTreeMap<String, Vec<f64>>,
    }

    fn numbers<T: std::str::FromStr>(text: &str, between: char) -> Vec<T> {
        let words = text.split(between).filter(|word| !word.is_empty());
        words
            .map(|word| word.parse().ok().expect("a number"))
            .collect()
    }

    fn norm(settings: &BTreeMap<&str, &str>, default: &str) -> Option<BatchNorm> {
        let kind = settings.get("norm").copied().unwrap_or(default);
        let number = |key, default| settings.get(key).map_or(default, |v| v.parse().unwrap());
        (kind != "none").then(|| BatchNorm {
            eps: number("eps", 1e-5),
            momentum: number("momentum", 0.1),
            training: kind == "train",
        })
    }

    fn layer(name: &str, settings: &BTreeMap<&str, &str>) -> Any {
        let whole = |key, default| settings.get(key).map_or(default, |v| v.parse().unwrap());
        let real = |key, default| settings.get(key).map_or(default, |v| v.parse().unwrap());
        match name {
            "frelu" => Any::Frelu(Frelu {
                kernel: settings.get("kernel").map_or((3, 3), |kernel| {
                    let kernel = numbers(kernel, ',');
                    (kernel[0], kernel[1])
                }),
                bias: settings.contains_key("bias"),
                norm: norm(settings, "eval"),
                light: settings.contains_key("light"),
            }),
            "meta_acon" => Any::MetaAcon(MetaAcon {
                reduction: whole("reduction", 16),
                minimum: whole("minimum", 16),
                norm: norm(settings, "none"),
            }),
            _ => {
                let plain = DynamicRelu::default();
                Any::DynamicRelu(DynamicRelu {
                    variant: match settings.get("variant") {
                        Some(&"A") => Variant::A,
                        Some(&"C") => Variant::C,
                        _ => Variant::B,
                    },
                    k: whole("k", plain.k),
                    reduction: whole("reduction", plain.reduction),
                    lambda_slope: real("lambda_slope", plain.lambda_slope),
                    lambda_intercept: real("lambda_intercept", plain.lambda_intercept),
                    initial_slopes: settings
                        .get("initial_slopes")
                        .map_or(plain.initial_slopes, |v| numbers(v, ',')),
                    initial_intercepts: settings
                        .get("initial_intercepts")
                        .map_or(plain.initial_intercepts, |v| numbers(v, ',')),
                    temperature: real("temperature", plain.temperature),
                    gamma: settings.get("gamma").map(|v| v.parse().unwrap()),
                })
            }
        }
    }

    pub(super) fn cases() -> Vec<Case> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/layers");
        let read = |line: &str| {
            let (head, tensors) = line.split_once(" | ").unwrap();
            let words: Vec<&str> = head.split(' ').collect();
            let settings = words[4..]
                .iter()
                .map(|word| word.split_once('=').unwrap())
                .collect();
            let lengths = numbers(words[3], 'x');
            let [samples, channels, height, width] = lengths[..] else {
                panic!("{line}")
            };
            let images = match words[2] {
                "nchw" => Images::nchw(samples, channels, height, width),
                _ => Images::nhwc(samples, height, width, channels),
            };
            let bytes = std::fs::read(folder.join(words[0]).with_extension("npy")).unwrap();
            let file = npyz::NpyFile::new(&bytes[..]).unwrap();
            let mut values = file.into_vec::<f64>().unwrap().into_iter();
            let (mut inputs, mut results) = (Parameters::new(), BTreeMap::new());
            for tensor in tensors.split(' ') {
                let (name, len) = tensor.split_once(':').unwrap();
                let tensor: Vec<f64> = values.by_ref().take(len.parse().unwrap()).collect();
                if name == "y" || name.contains('.') {
                    results.insert(name.to_owned(), tensor);
                } else {
                    inputs = inputs.with(name, &tensor);
                }
            }
            assert_eq!(values.next(), None, "{line}");
            let mut f32s = |name| {
                let values = inputs.remove(name).unwrap();
                values.iter().map(|v| *v as f32).collect()
            };
            let (x, dy) = (f32s("x"), f32s("dy"));
            Case {
                name: words[0].to_owned(),
                trial: Trial {
                    layer: layer(words[1], &settings),
                    images,
                    parameters: inputs,
                    x,
                    dy,
                },
                results,
            }
        };
        include_str!("data/layers/cases.txt")
            .lines()
            .map(read)
            .collect()
    }

    /// The reference's results under PyTorch's names.
    pub(super) fn named(outputs: Outputs, gradients: Gradients) -> BTreeMap<String, Vec<f64>> {
        let mut all = BTreeMap::from([
            ("y".to_owned(), outputs.y),
            ("d.x".to_owned(), gradients.dx),
        ]);
        let prefixed = |prefix: &str, tensors: Parameters| -> Vec<(String, Vec<f64>)> {
            let tensors = tensors.into_iter();
            tensors
                .map(|(name, values)| (format!("{prefix}.{name}"), values))
                .collect()
        };
        all.extend(prefixed("new", outputs.running));
        all.extend(prefixed("d", gradients.parameters));
        all
    }

    /// The worst difference, or the first tensor that is too far off.
    pub(super) fn compare(
        got: &BTreeMap<String, Vec<f64>>,
        want: &BTreeMap<String, Vec<f64>>,
    ) -> Result<f64, String> {
        if !got.keys().eq(want.keys()) {
            return Err(format!("{:?} instead of {:?}", got.keys(), want.keys()));
        }
        let mut worst = 0.0f64;
        for (name, want) in want {
            let apart = apart(&got[name], want);
            if apart.is_nan() || apart > TOLERANCE {
                return Err(format!("{name} is {apart:e} off"));
            }
            worst = worst.max(apart);
        }
        Ok(worst)
    }
}

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

/// Random numbers that are the same each time (Steele, Lea and Flood's SplitMix64).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 0
    }

    /// From -2 to 2.
    fn number(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * 2f64.powi(-51) - 2.0
    }

    /// A multiple of 1/64, to which small steps can be added in f32 without rounding.
    fn step(&mut self) -> f32 {
        (self.number() * 64.0).round() as f32 / 64.0
    }

    fn norm(&mut self) -> BatchNorm {
        BatchNorm {
            eps: [1e-5, 1e-2][self.below(2) as usize],
            momentum: [0.1, 0.5][self.below(2) as usize],
            training: self.yes(),
        }
    }

    fn layer(&mut self, kind: u64) -> Any {
        match kind {
            0 => Any::Frelu(Frelu {
                kernel: (1 + 2 * self.below(4), 1 + 2 * self.below(4)),
                bias: self.yes(),
                norm: self.yes().then(|| self.norm()),
                light: self.yes(),
            }),
            1 => Any::MetaAcon(MetaAcon {
                reduction: 1 + self.below(4),
                minimum: 1 + self.below(4),
                norm: self.yes().then(|| self.norm()),
            }),
            _ => {
                let k = 1 + self.below(4);
                Any::DynamicRelu(DynamicRelu {
                    variant: [Variant::A, Variant::B, Variant::C][self.below(3) as usize],
                    k,
                    reduction: 1 + self.below(4),
                    lambda_slope: 1.0 + self.number() / 4.0,
                    lambda_intercept: 0.5 + self.number() / 8.0,
                    initial_slopes: (0..self.below(k + 1)).map(|_| self.number()).collect(),
                    initial_intercepts: (0..self.below(k + 1)).map(|_| self.number()).collect(),
                    temperature: 1.0 + self.below(10) as f64,
                    gamma: self.yes().then(|| 1.0 + self.below(9) as f64),
                })
            }
        }
    }

    fn trial(&mut self, kind: u64) -> Trial {
        let mut layer = self.layer(kind);
        let lengths = [3, 4, 5, 5].map(|most| 1 + self.below(most));
        // A norm that trains wants more than one value.
        let samples = lengths[0] + u64::from(kind < 2);
        let images = Images {
            samples,
            channels: lengths[1],
            height: lengths[2],
            width: lengths[3],
            order: [Order::Nchw, Order::Nhwc][self.below(2) as usize],
        };
        if let Any::MetaAcon(MetaAcon {
            norm: Some(norm), ..
        }) = &mut layer
            && samples < 3
        {
            // Of two values a norm makes about 1 and -1, whatever they are; where they are nearly equal, too
            // steeply for finite differences.
            norm.training = false;
        }
        let elements = images.elements().unwrap() as usize;
        let mut trial = Trial {
            layer,
            images,
            parameters: Parameters::new(),
            x: (0..elements).map(|_| self.step()).collect(),
            dy: (0..elements).map(|_| self.step()).collect(),
        };
        for parameter in trial.listed() {
            let count = parameter.elements().unwrap();
            let values = (0..count).map(|_| match parameter.name.contains("var") {
                true => self.number().exp(),
                false => self.number(),
            });
            let values: Vec<f64> = values.collect();
            trial.parameters = trial.parameters.with(&parameter.name, &values);
        }
        trial
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
            Any::Frelu(_) => trial.images.samples * trial.images.height * trial.images.width,
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
        if let Any::MetaAcon(layer) = &mut trial.layer {
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
        let gradients = on!(&trial.layer, layer =>
            layer.backward(&trial.images, &trial.parameters, &x, &dy));
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
        if let Any::DynamicRelu(layer) = &mut trial.layer {
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
    let layer = Frelu {
        norm: None,
        ..Frelu::default()
    };
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
        Error::BadTensor {
            name,
            shape,
            len: 23
        }
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
            let found = on!(layer, layer => layer.parameters(&bad));
            assert!(matches!(found, Err(Error::BadImages { .. })), "{found:?}");
            let found = on!(Random(8).layer(kind), layer => layer.forward(&bad, &given, &x));
            assert!(matches!(found, Err(Error::BadImages { .. })), "{found:?}");
        }
    }
    let endless = Images::nchw(1, u64::MAX / 3, 1, 1);
    let found = DynamicRelu::default().parameters(&endless);
    assert!(matches!(found, Err(Error::BadImages { .. })), "{found:?}");
    // Shapes may be more than can be counted, as long as nothing is made of them.
    let wide = MetaAcon {
        minimum: u64::MAX,
        ..MetaAcon::default()
    };
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
        Err(Error::BadSetting { setting, .. }) => setting,
        found => panic!("{found:?}"),
    };
    for kernel in [(2, 3), (3, 4), (9, 1), (1, 9), (0, 3), (u64::MAX, 1)] {
        for light in [false, true] {
            let layer = Frelu {
                kernel,
                light,
                ..Frelu::default()
            };
            assert_eq!(setting(layer.parameters(&images)), "kernel");
        }
    }
    let norm = |eps, momentum| {
        let norm = BatchNorm {
            eps,
            momentum,
            training: true,
        };
        (
            setting(
                Frelu {
                    norm: Some(norm),
                    ..Frelu::default()
                }
                .parameters(&images),
            ),
            setting(
                MetaAcon {
                    norm: Some(norm),
                    ..MetaAcon::default()
                }
                .parameters(&images),
            ),
        )
    };
    for eps in [-1e-5, f64::NAN, f64::INFINITY] {
        assert_eq!(norm(eps, 0.1), ("eps", "eps"));
    }
    for momentum in [-0.1, 1.1, f64::NAN] {
        assert_eq!(norm(1e-5, momentum), ("momentum", "momentum"));
    }
    let layer = MetaAcon {
        reduction: 0,
        ..MetaAcon::default()
    };
    assert_eq!(setting(layer.parameters(&images)), "reduction");
    let layer = MetaAcon {
        minimum: 0,
        ..MetaAcon::default()
    };
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
        assert_eq!(setting(layer.parameters(&images)), name);
    }

    // One value per channel has no variance to train on.
    let training = BatchNorm {
        training: true,
        ..BatchNorm::default()
    };
    let layer = Frelu {
        norm: Some(training),
        ..Frelu::default()
    };
    let mut parameters = Parameters::new();
    for parameter in layer.parameters(&images).unwrap() {
        let ones = vec![1.0; parameter.elements().unwrap() as usize];
        parameters = parameters.with(&parameter.name, &ones);
    }
    let found = layer.forward(&images, &parameters, &[0.0f32; 2]);
    assert!(matches!(found, Err(Error::BadImages { .. })), "{found:?}");
}
