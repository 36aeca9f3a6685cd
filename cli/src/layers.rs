//! The layers that `nonlin run` knows: their names, and their settings as text.

use crate::{Failure, Result};
use nonlin::layers::{BatchNorm, DynamicRelu, Frelu, MetaAcon, Variant};

/// A layer with its settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AnyLayer {
    Frelu(Frelu),
    MetaAcon(MetaAcon),
    DynamicRelu(DynamicRelu),
}

/// Runs the same expression on whichever layer it is.
macro_rules! on {
    ($any:expr, $layer:ident => $body:expr) => {
        match $any {
            $crate::layers::AnyLayer::Frelu($layer) => $body,
            $crate::layers::AnyLayer::MetaAcon($layer) => $body,
            $crate::layers::AnyLayer::DynamicRelu($layer) => $body,
        }
    };
}

pub(crate) use on;

/// A setting as the user gives it: `key=value`.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    key: String,
    value: String,
}

impl Given {
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        let parts = text.split_once('=');
        let parts = parts.filter(|(key, value)| !key.is_empty() && !value.is_empty());
        let (key, value) = parts.ok_or("a key, = and a value are needed, as in kernel=3")?;
        Ok(Given {
            key: key.into(),
            value: value.into(),
        })
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// A setting that a layer has.
pub(crate) struct Setting {
    /// The name of the field in the library.
    pub(crate) key: &'static str,
    /// What its value must be.
    pub(crate) takes: &'static str,
    /// As text that says the same when given; that of gamma depends on x.
    pub(crate) default: &'static str,
}

const fn setting(key: &'static str, takes: &'static str, default: &'static str) -> Setting {
    Setting {
        key,
        takes,
        default,
    }
}

/// A parameter that a layer has, for people.
pub(crate) struct Tensor {
    pub(crate) name: &'static str,
    pub(crate) shape: &'static str,
    /// With which settings; empty where always.
    pub(crate) when: &'static str,
}

impl Tensor {
    /// Whether it has a gradient.
    pub(crate) fn learned(&self) -> bool {
        !self.name.starts_with("running_")
    }
}

const fn tensor(name: &'static str, shape: &'static str, when: &'static str) -> Tensor {
    Tensor { name, shape, when }
}

/// A layer as it is known by name.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) formula: &'static str,
    pub(crate) source: &'static str,
    settings: &'static [&'static [Setting]],
    parameters: &'static [&'static [Tensor]],
    build: fn(&Settings<'_>) -> Result<AnyLayer>,
}

const LENGTHS: &str = "one odd length up to 7, such as 3, or height x width, such as 3x1";
const BOOLEAN: &str = "true or false";
const WHOLE: &str = "a whole number";
const NUMBER: &str = "a number";
const NUMBERS: &str = "numbers with commas between them, such as 1,0.5";

const WINDOW: &[Setting] = &[
    setting("kernel", LENGTHS, "3"),
    setting("bias", BOOLEAN, "false"),
    setting("light", BOOLEAN, "false"),
];

const NO_NORM: &[Setting] = &[setting("norm", NORM, "none")];
const NORM_IN_EVALUATION: &[Setting] = &[setting("norm", NORM, "eval")];
const NORM: &str = "none, eval or train";

const OF_NORMS: &[Setting] = &[
    setting("eps", NUMBER, "1e-5"),
    setting("momentum", NUMBER, "0.1"),
];

const HIDDEN: &[Setting] = &[
    setting("reduction", WHOLE, "16"),
    setting("minimum", WHOLE, "16"),
];

const LINES: &[Setting] = &[
    setting("k", WHOLE, "2"),
    setting("reduction", WHOLE, "4"),
    setting("lambda_slope", NUMBER, "1"),
    setting("lambda_intercept", NUMBER, "0.5"),
    setting("initial_slopes", NUMBERS, "1"),
    setting("initial_intercepts", NUMBERS, "0"),
];

const PLACES: &[Setting] = &[
    setting("temperature", NUMBER, "10"),
    setting("gamma", NUMBER, "H*W/3"),
];

const VARIANT: &[Setting] = &[setting("variant", "a, b or c", "b")];

const OF_WINDOWS: &[Tensor] = &[
    tensor(
        "weight",
        "(C, 1, KH, KW), or (C, 1, 1, KW) with light=true",
        "",
    ),
    tensor("bias", "(C,)", "bias=true"),
    tensor("bn_weight", "(C,)", "norm=eval or train"),
    tensor("bn_bias", "(C,)", "norm=eval or train"),
    tensor("running_mean", "(C,)", "norm=eval or train"),
    tensor("running_var", "(C,)", "norm=eval or train"),
    tensor("weight2", "(C, 1, KH, 1)", "light=true"),
    tensor("bias2", "(C,)", "light=true, bias=true"),
    tensor("bn2_weight", "(C,)", "light=true, norm=eval or train"),
    tensor("bn2_bias", "(C,)", "light=true, norm=eval or train"),
    tensor("running_mean2", "(C,)", "light=true, norm=eval or train"),
    tensor("running_var2", "(C,)", "light=true, norm=eval or train"),
];

const OF_META_ACON: &[Tensor] = &[
    tensor("p1", "(C,)", ""),
    tensor("p2", "(C,)", ""),
    tensor("fc1_weight", "(hidden, C)", ""),
    tensor("fc1_bias", "(hidden,)", ""),
    tensor("fc2_weight", "(C, hidden)", ""),
    tensor("fc2_bias", "(C,)", ""),
    tensor("bn1_weight", "(hidden,)", "norm=eval or train"),
    tensor("bn1_bias", "(hidden,)", "norm=eval or train"),
    tensor("running_mean1", "(hidden,)", "norm=eval or train"),
    tensor("running_var1", "(hidden,)", "norm=eval or train"),
    tensor("bn2_weight", "(C,)", "norm=eval or train"),
    tensor("bn2_bias", "(C,)", "norm=eval or train"),
    tensor("running_mean2", "(C,)", "norm=eval or train"),
    tensor("running_var2", "(C,)", "norm=eval or train"),
];

const PER_SAMPLE: &[Tensor] = &[
    tensor("fc1_weight", "(hidden, C)", ""),
    tensor("fc1_bias", "(hidden,)", ""),
    tensor("fc2_weight", "(2K, hidden)", ""),
    tensor("fc2_bias", "(2K,)", ""),
];

const PER_CHANNEL: &[Tensor] = &[
    tensor("fc1_weight", "(hidden, C)", ""),
    tensor("fc1_bias", "(hidden,)", ""),
    tensor("fc2_weight", "(2KC, hidden)", ""),
    tensor("fc2_bias", "(2KC,)", ""),
];

const PER_PLACE: &[Tensor] = &[
    tensor("spatial_weight", "(C,)", ""),
    tensor("spatial_bias", "(1,)", ""),
];

const OF_VARIANTS: &[Tensor] = &[
    tensor("fc1_weight", "(hidden, C)", ""),
    tensor("fc1_bias", "(hidden,)", ""),
    tensor(
        "fc2_weight",
        "(2KC, hidden), or (2K, hidden) with variant=a",
        "",
    ),
    tensor("fc2_bias", "(2KC,), or (2K,) with variant=a", ""),
    tensor("spatial_weight", "(C,)", "variant=c"),
    tensor("spatial_bias", "(1,)", "variant=c"),
];

const DYNAMIC_RELU: &str =
    "Chen, Dai, Liu, Chen, Yuan and Liu 2020, Dynamic ReLU, arXiv:2003.10027";

impl Known {
    pub(crate) const ALL: [Known; 6] = [
        Known {
            name: "frelu",
            formula: "max(x, T), T a window's weighted sum around x, behind a batch norm",
            source: "Ma, Zhang and Sun 2020, Funnel Activation for Visual Recognition, arXiv:2007.11824",
            settings: &[WINDOW, NORM_IN_EVALUATION, OF_NORMS],
            parameters: &[OF_WINDOWS],
            build: frelu,
        },
        Known {
            name: "meta_acon",
            formula: "(p1 - p2) x sigmoid(beta (p1 - p2) x) + p2 x, \
                      beta = sigmoid(fc2(fc1(mean over H and W)))",
            source: "Ma, Zhang, Liu and Sun 2021, Activate or Not: Learning Customized Activation, \
                     arXiv:2009.04759",
            settings: &[HIDDEN, NO_NORM, OF_NORMS],
            parameters: &[OF_META_ACON],
            build: meta_acon,
        },
        Known {
            name: "dyrelu_a",
            formula: "max over K lines, whose slopes and intercepts fc2(relu(fc1(mean over H and W))) \
                      makes for each sample",
            source: DYNAMIC_RELU,
            settings: &[LINES],
            parameters: &[PER_SAMPLE],
            build: |settings| dynamic_relu(settings, Variant::A),
        },
        Known {
            name: "dyrelu_b",
            formula: "dyrelu_a, with lines for each sample's channel",
            source: DYNAMIC_RELU,
            settings: &[LINES],
            parameters: &[PER_CHANNEL],
            build: |settings| dynamic_relu(settings, Variant::B),
        },
        Known {
            name: "dyrelu_c",
            formula: "dyrelu_b times min(gamma softmax(spatial / temperature), 1), for each place",
            source: DYNAMIC_RELU,
            settings: &[LINES, PLACES],
            parameters: &[PER_CHANNEL, PER_PLACE],
            build: |settings| dynamic_relu(settings, Variant::C),
        },
        Known {
            name: "dynamic_relu",
            formula: "dyrelu_a, dyrelu_b or dyrelu_c, as variant says",
            source: DYNAMIC_RELU,
            settings: &[VARIANT, LINES, PLACES],
            parameters: &[OF_VARIANTS],
            build: any_dynamic_relu,
        },
    ];

    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        const { &Self::ALL }.iter().find(|known| known.name == name)
    }

    pub(crate) fn settings(&self) -> impl Iterator<Item = &'static Setting> {
        self.settings.iter().copied().flatten()
    }

    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static Tensor> {
        self.parameters.iter().copied().flatten()
    }

    /// The layer with these settings; others are at their defaults.
    pub(crate) fn build(&self, given: &[Given]) -> Result<AnyLayer> {
        for (index, Given { key, value }) in given.iter().enumerate() {
            if !self.settings().any(|setting| setting.key == key) {
                let known: Vec<_> = self.settings().map(|setting| setting.key).collect();
                return Err(Failure(format!(
                    "--set {key}={value}: {} has no setting of that name; it has {}",
                    self.name,
                    known.join(", ")
                )));
            }
            if given[..index].iter().any(|other| other.key == *key) {
                return Err(Failure(format!("--set {key} is given twice")));
            }
        }
        (self.build)(&Settings { known: self, given })
    }
}

/// The settings given for a layer, all of them known to it and none twice.
struct Settings<'a> {
    known: &'a Known,
    given: &'a [Given],
}

impl Settings<'_> {
    fn given(&self, key: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.key == key)
    }

    /// What a setting says, if it is given.
    fn read<V>(&self, key: &str, read: impl Fn(&str) -> Option<V>) -> Result<Option<V>> {
        let Some(Given { value, .. }) = self.given(key) else {
            return Ok(None);
        };
        let setting = self.known.settings().find(|setting| setting.key == key);
        let takes = setting.map_or("", |setting| setting.takes);
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(Failure(format!(
                "--set {key}={value}: {key} must be {takes}"
            ))),
        }
    }

    fn boolean(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self.read(key, parsed)?.unwrap_or(default))
    }

    fn whole(&self, key: &str, default: u64) -> Result<u64> {
        Ok(self.read(key, parsed)?.unwrap_or(default))
    }

    fn number(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.read(key, parsed)?.unwrap_or(default))
    }

    fn numbers(&self, key: &str, default: Vec<f64>) -> Result<Vec<f64>> {
        let read = |text: &str| text.split(',').map(parsed).collect();
        Ok(self.read(key, read)?.unwrap_or(default))
    }

    /// Refuses settings that change nothing beside the others.
    fn refuse(&self, keys: &[&str], needs: &str) -> Result<()> {
        match keys.iter().find_map(|key| self.given(key)) {
            None => Ok(()),
            Some(Given { key, value }) => Err(Failure(format!(
                "--set {key}={value} changes nothing without {needs}"
            ))),
        }
    }

    fn norm(&self, default: Option<BatchNorm>) -> Result<Option<BatchNorm>> {
        let training = |training| BatchNorm {
            training,
            ..BatchNorm::default()
        };
        let read = |text: &str| match text {
            "none" => Some(None),
            "eval" => Some(Some(training(false))),
            "train" => Some(Some(training(true))),
            _ => None,
        };
        let Some(norm) = self.read("norm", read)?.unwrap_or(default) else {
            self.refuse(&["eps", "momentum"], "a norm; say --set norm=eval or train")?;
            return Ok(None);
        };
        if !norm.training {
            self.refuse(&["momentum"], "--set norm=train")?;
        }
        Ok(Some(BatchNorm {
            eps: self.number("eps", norm.eps)?,
            momentum: self.number("momentum", norm.momentum)?,
            ..norm
        }))
    }
}

fn parsed<V: std::str::FromStr>(text: &str) -> Option<V> {
    text.trim().parse().ok()
}

/// `3` or `3x1`.
fn lengths(text: &str) -> Option<(u64, u64)> {
    match text.split_once('x') {
        Some((height, width)) => Some((parsed(height)?, parsed(width)?)),
        None => parsed(text).map(|length| (length, length)),
    }
}

fn frelu(settings: &Settings<'_>) -> Result<AnyLayer> {
    let plain = Frelu::default();
    Ok(AnyLayer::Frelu(Frelu {
        kernel: settings.read("kernel", lengths)?.unwrap_or(plain.kernel),
        bias: settings.boolean("bias", plain.bias)?,
        norm: settings.norm(plain.norm)?,
        light: settings.boolean("light", plain.light)?,
    }))
}

fn meta_acon(settings: &Settings<'_>) -> Result<AnyLayer> {
    let plain = MetaAcon::default();
    Ok(AnyLayer::MetaAcon(MetaAcon {
        reduction: settings.whole("reduction", plain.reduction)?,
        minimum: settings.whole("minimum", plain.minimum)?,
        norm: settings.norm(plain.norm)?,
    }))
}

fn dynamic_relu(settings: &Settings<'_>, variant: Variant) -> Result<AnyLayer> {
    let plain = DynamicRelu::default();
    Ok(AnyLayer::DynamicRelu(DynamicRelu {
        variant,
        k: settings.whole("k", plain.k)?,
        reduction: settings.whole("reduction", plain.reduction)?,
        lambda_slope: settings.number("lambda_slope", plain.lambda_slope)?,
        lambda_intercept: settings.number("lambda_intercept", plain.lambda_intercept)?,
        initial_slopes: settings.numbers("initial_slopes", plain.initial_slopes)?,
        initial_intercepts: settings.numbers("initial_intercepts", plain.initial_intercepts)?,
        temperature: settings.number("temperature", plain.temperature)?,
        gamma: settings.read("gamma", parsed)?,
    }))
}

fn any_dynamic_relu(settings: &Settings<'_>) -> Result<AnyLayer> {
    let read = |text: &str| match text {
        "a" => Some(Variant::A),
        "b" => Some(Variant::B),
        "c" => Some(Variant::C),
        _ => None,
    };
    let variant = settings.read("variant", read)?.unwrap_or_default();
    if variant != Variant::C {
        settings.refuse(&["temperature", "gamma"], "--set variant=c")?;
    }
    dynamic_relu(settings, variant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonlin::layers::{Images, Layer};
    use nonlin::{Chain, Error};

    fn built(name: &str, settings: &[&str]) -> std::result::Result<AnyLayer, String> {
        let given: Vec<_> = settings
            .iter()
            .map(|text| Given::parse(text).unwrap())
            .collect();
        Known::by_name(name).unwrap().build(&given).map_err(|f| f.0)
    }

    #[test]
    fn no_chain_is_called_as_a_layer() {
        for known in &Known::ALL {
            let parsed = known.name.parse::<Chain>();
            assert!(
                matches!(parsed, Err(Error::UnknownStep { .. })),
                "{}",
                known.name
            );
        }
    }

    /// The defaults that are told are those of the library, and every setting is read.
    #[test]
    fn defaults() {
        for known in &Known::ALL {
            let plain = built(known.name, &[]).unwrap();
            for Setting { key, default, .. } in known.settings() {
                let others: &[&str] = match (*key, known.name) {
                    ("gamma", _) => continue,
                    ("temperature", "dynamic_relu") => &["variant=c"],
                    ("eps" | "momentum", _) => &["norm=train"],
                    _ => &[],
                };
                let wanted = match others {
                    [] => plain.clone(),
                    others => built(known.name, others).unwrap(),
                };
                let text = format!("{key}={default}");
                let mut got = built(known.name, &[others, &[&text]].concat()).unwrap();
                if let AnyLayer::DynamicRelu(layer) = &mut got {
                    // None and zeros are the same.
                    layer.initial_intercepts.retain(|value| *value != 0.0);
                }
                assert_eq!(got, wanted, "{} {text}", known.name);
                assert!(built(known.name, &[others, &[&format!("{key}=?")]].concat()).is_err());
            }
        }
        assert_eq!(built("frelu", &[]), Ok(AnyLayer::Frelu(Frelu::default())));
        let plain = AnyLayer::MetaAcon(MetaAcon::default());
        assert_eq!(built("meta_acon", &[]), Ok(plain));
        let plain = AnyLayer::DynamicRelu(DynamicRelu::default());
        assert_eq!(built("dynamic_relu", &[]), Ok(plain));
    }

    #[test]
    fn settings_are_those_given() {
        let norm = BatchNorm {
            eps: 1e-3,
            momentum: 0.25,
            training: true,
        };
        let frelu = Frelu {
            kernel: (5, 1),
            bias: true,
            norm: Some(norm),
            light: true,
        };
        let texts = [
            "kernel=5x1",
            "bias=true",
            "light=true",
            "momentum=0.25",
            "eps=1e-3",
            "norm=train",
        ];
        assert_eq!(built("frelu", &texts), Ok(AnyLayer::Frelu(frelu)));
        let meta_acon = MetaAcon {
            reduction: 3,
            minimum: 5,
            norm: Some(BatchNorm {
                eps: 0.5,
                ..BatchNorm::default()
            }),
        };
        let texts = ["reduction=3", "minimum=5", "norm=eval", "eps=0.5"];
        assert_eq!(
            built("meta_acon", &texts),
            Ok(AnyLayer::MetaAcon(meta_acon))
        );
        let lines = DynamicRelu {
            variant: Variant::C,
            k: 3,
            reduction: 2,
            lambda_slope: 0.75,
            lambda_intercept: -1.5,
            initial_slopes: vec![1.0, -0.5, 0.25],
            initial_intercepts: vec![0.125, 2.0],
            temperature: 4.0,
            gamma: Some(7.5),
        };
        let texts = [
            "k=3",
            "reduction=2",
            "lambda_slope=0.75",
            "lambda_intercept=-1.5",
            "initial_slopes=1,-0.5, 0.25",
            "initial_intercepts=0.125,2",
            "temperature=4",
            "gamma=7.5",
        ];
        let wanted = Ok(AnyLayer::DynamicRelu(lines.clone()));
        assert_eq!(built("dyrelu_c", &texts), wanted);
        let texts = [&texts[..], &["variant=c"]].concat();
        assert_eq!(built("dynamic_relu", &texts), wanted);
        for (name, variant) in [("a", Variant::A), ("b", Variant::B)] {
            let wanted = Ok(AnyLayer::DynamicRelu(DynamicRelu {
                variant,
                temperature: 10.0,
                gamma: None,
                ..lines.clone()
            }));
            assert_eq!(built(&format!("dyrelu_{name}"), &texts[..6]), wanted);
            let variant = format!("variant={name}");
            let texts = [&texts[..6], &[&variant]].concat();
            assert_eq!(built("dynamic_relu", &texts), wanted);
        }
    }

    /// The parameters that are told are those of the library, with and without each setting.
    #[test]
    fn parameters() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("frelu", &["norm=none"], &[]),
            ("frelu", &["norm=none", "bias=true"], &["bias=true"]),
            ("frelu", &[], &["norm=eval or train"]),
            (
                "frelu",
                &["light=true", "bias=true", "norm=train"],
                &[
                    "bias=true",
                    "light=true",
                    "light=true, bias=true",
                    "norm=eval or train",
                    "light=true, norm=eval or train",
                ],
            ),
            ("meta_acon", &[], &[]),
            ("meta_acon", &["norm=eval"], &["norm=eval or train"]),
            ("dyrelu_a", &[], &[]),
            ("dyrelu_b", &[], &[]),
            ("dyrelu_c", &[], &[]),
            ("dynamic_relu", &[], &[]),
            ("dynamic_relu", &["variant=c"], &["variant=c"]),
        ];
        let images = Images::nchw(2, 8, 3, 3);
        for (name, settings, whens) in cases {
            let layer = built(name, settings).unwrap();
            let listed = on!(&layer, layer => layer.parameters(&images)).unwrap();
            let listed: Vec<_> = listed
                .iter()
                .map(|p| (p.name.as_str(), p.learned))
                .collect();
            let told = Known::by_name(name).unwrap().parameters();
            let told = told.filter(|told| told.when.is_empty() || whens.contains(&told.when));
            let told: Vec<_> = told.map(|told| (told.name, told.learned())).collect();
            assert_eq!(listed, told, "{name} {settings:?}");
        }
    }

    #[test]
    fn keys_and_values() {
        let given = |text| Given::parse(text).map(|Given { key, value }| (key, value));
        assert_eq!(given("kernel=3"), Ok(("kernel".into(), "3".into())));
        for text in ["", "kernel", "kernel=", "=3", "="] {
            assert!(Given::parse(text).is_err(), "{text}");
        }
        for (text, wanted) in [
            ("3", Some((3, 3))),
            ("3x1", Some((3, 1))),
            ("3x", None),
            ("x3", None),
            ("3x1x1", None),
            ("-3", None),
            ("3.0", None),
        ] {
            assert_eq!(lengths(text), wanted, "{text}");
        }
    }
}
