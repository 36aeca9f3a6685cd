//! Layers with all that they work on: PyTorch's cases, and random ones.

use nonlin::layers::{
    BatchNorm, DynamicRelu, Frelu, Gradients, Images, Layer, MetaAcon, Order, Outputs, Parameter,
    Parameters, Variant,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A layer with all that it works on.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) layer: Layer,
    pub(crate) images: Images,
    pub(crate) parameters: Parameters,
    pub(crate) x: Vec<f32>,
    pub(crate) dy: Vec<f32>,
}

impl Trial {
    pub(crate) fn listed(&self) -> Vec<Parameter> {
        self.layer.parameters(&self.images).unwrap()
    }

    pub(crate) fn forward(&self) -> Outputs {
        self.layer
            .forward(&self.images, &self.parameters, &self.x)
            .unwrap()
    }

    pub(crate) fn backward(&self) -> Gradients {
        self.layer
            .backward(&self.images, &self.parameters, &self.x, &self.dy)
            .unwrap()
    }

    /// The sum of dy y, whose derivatives the gradients are.
    pub(crate) fn loss(&self) -> f64 {
        let y = self.forward().y;
        y.iter()
            .zip(&self.dy)
            .map(|(y, dy)| y * f64::from(*dy))
            .sum()
    }

    /// The batch norm of the layer, if it has one.
    pub(crate) fn norm(&mut self) -> Option<&mut BatchNorm> {
        match &mut self.layer {
            Layer::Frelu(layer) => layer.norm.as_mut(),
            Layer::MetaAcon(layer) => layer.norm.as_mut(),
            Layer::DynamicRelu(_) => None,
        }
    }
}

/// How far two tensors are apart at worst, in units of the second's largest magnitude. What is zero but for
/// rounding (a bias in front of a norm that trains) is measured in units of a tenth.
pub(crate) fn apart(got: &[f64], want: &[f64]) -> f64 {
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
pub(crate) const TOLERANCE: f64 = 2e-13;

pub(crate) mod torch {
    use super::*;

    pub(crate) struct Case {
        pub(crate) name: String,
        pub(crate) trial: Trial,
        /// What PyTorch computes: "y", "new." and "d." with names behind.
        pub(crate) results: BTreeMap<String, Vec<f64>>,
    }

    pub(crate) fn numbers<T: std::str::FromStr>(text: &str, between: char) -> Vec<T> {
        let words = text.split(between).filter(|word| !word.is_empty());
        words
            .map(|word| word.parse().ok().expect("a number"))
            .collect()
    }

    /// The layer as tests/data/layers.py writes it.
    pub(crate) fn layer(name: &str, settings: &BTreeMap<&str, &str>) -> Layer {
        let text = |(key, value): (&&str, &&str)| match *key {
            "kernel" => value.replace(',', "x"),
            "variant" => value.to_lowercase(),
            "bias" | "light" => "true".into(),
            _ => (*value).into(),
        };
        let texts: Vec<_> = settings.iter().map(text).collect();
        let keys = settings.keys().copied();
        let given: Vec<_> = keys.zip(texts.iter().map(String::as_str)).collect();
        let mut layer = Layer::by_name(name).unwrap();
        layer.set_all(&given).unwrap();
        layer
    }

    pub(crate) fn cases() -> Vec<Case> {
        // Elsewhere than where they were built, tests are told where their data is.
        let data = std::env::var_os("NONLIN_TEST_DATA").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"),
            PathBuf::from,
        );
        let folder = data.join("layers");
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
        include_str!("../data/layers/cases.txt")
            .lines()
            .map(read)
            .collect()
    }

    /// The reference's results under PyTorch's names.
    pub(crate) fn named(outputs: Outputs, gradients: Gradients) -> BTreeMap<String, Vec<f64>> {
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
    pub(crate) fn compare(
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

/// Random numbers that are the same each time (Steele, Lea and Flood's SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.below(2) == 0
    }

    /// From -2 to 2.
    pub(crate) fn number(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * 2f64.powi(-51) - 2.0
    }

    /// A multiple of 1/64, to which small steps can be added in f32 without rounding.
    pub(crate) fn step(&mut self) -> f32 {
        (self.number() * 64.0).round() as f32 / 64.0
    }

    pub(crate) fn norm(&mut self) -> BatchNorm {
        BatchNorm {
            eps: [1e-5, 1e-2][self.below(2) as usize],
            momentum: [0.1, 0.5][self.below(2) as usize],
            training: self.yes(),
        }
    }

    pub(crate) fn layer(&mut self, kind: u64) -> Layer {
        match kind {
            0 => Layer::Frelu(Frelu {
                kernel: (1 + 2 * self.below(4), 1 + 2 * self.below(4)),
                bias: self.yes(),
                norm: self.yes().then(|| self.norm()),
                light: self.yes(),
            }),
            1 => Layer::MetaAcon(MetaAcon {
                reduction: 1 + self.below(4),
                minimum: 1 + self.below(4),
                norm: self.yes().then(|| self.norm()),
            }),
            _ => {
                let k = 1 + self.below(4);
                Layer::DynamicRelu(DynamicRelu {
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

    pub(crate) fn trial(&mut self, kind: u64) -> Trial {
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
        if let Layer::MetaAcon(MetaAcon {
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
