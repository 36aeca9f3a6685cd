//! The layers as the command names them: which settings each name has, and what its parameters are, for people.

use crate::{Failure, Result};
use nonlin::layers::{DynamicRelu, Layer, Setting, Variant};
use nonlin::{Error, LayerError};

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
    /// The settings of the library's layer that do nothing under this name.
    without: &'static [&'static str],
    parameters: &'static [&'static [Tensor]],
}

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
            without: &[],
            parameters: &[OF_WINDOWS],
        },
        Known {
            name: "meta_acon",
            formula: "(p1 - p2) x sigmoid(beta (p1 - p2) x) + p2 x, \
                      beta = sigmoid(fc2(fc1(mean over H and W)))",
            source: "Ma, Zhang, Liu and Sun 2021, Activate or Not: Learning Customized Activation, \
                     arXiv:2009.04759",
            without: &[],
            parameters: &[OF_META_ACON],
        },
        Known {
            name: "dyrelu_a",
            formula: "max over K lines, whose slopes and intercepts fc2(relu(fc1(mean over H and W))) \
                      makes for each sample",
            source: DYNAMIC_RELU,
            without: &["variant", "temperature", "gamma"],
            parameters: &[PER_SAMPLE],
        },
        Known {
            name: "dyrelu_b",
            formula: "dyrelu_a, with lines for each sample's channel",
            source: DYNAMIC_RELU,
            without: &["variant", "temperature", "gamma"],
            parameters: &[PER_CHANNEL],
        },
        Known {
            name: "dyrelu_c",
            formula: "dyrelu_b times min(gamma softmax(spatial / temperature), 1), for each place",
            source: DYNAMIC_RELU,
            without: &["variant"],
            parameters: &[PER_CHANNEL, PER_PLACE],
        },
        Known {
            name: "dynamic_relu",
            formula: "dyrelu_a, dyrelu_b or dyrelu_c, as variant says",
            source: DYNAMIC_RELU,
            without: &[],
            parameters: &[OF_VARIANTS],
        },
    ];

    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        const { &Self::ALL }.iter().find(|known| known.name == name)
    }

    /// The settings that this name has, at their defaults; those of a norm whether there is one by default or not.
    pub(crate) fn settings(&self) -> Result<Vec<Setting>> {
        let mut layer: Layer = self.name.parse()?;
        let plain = layer.settings();
        if plain.iter().any(|setting| setting.name == "norm") {
            layer.set("norm", "train")?;
        }
        let mut all = layer.settings();
        all.retain(|setting| !self.without.contains(&setting.name));
        for setting in &mut all {
            if let Some(plain) = plain.iter().find(|plain| plain.name == setting.name) {
                *setting = plain.clone();
            }
        }
        Ok(all)
    }

    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static Tensor> {
        self.parameters.iter().copied().flatten()
    }

    /// The layer with these settings; others are at their defaults.
    pub(crate) fn build(&self, given: &[Given]) -> Result<Layer> {
        let known: Vec<_> = self.settings()?.into_iter().map(|s| s.name).collect();
        for (index, Given { key, value }) in given.iter().enumerate() {
            if !known.contains(&key.as_str()) {
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
        let pairs = given
            .iter()
            .map(|Given { key, value }| (key.as_str(), value.as_str()));
        let mut layer: Layer = self.name.parse()?;
        layer
            .set_all(&pairs.collect::<Vec<_>>())
            .map_err(|error| match error {
                Error::Layer(LayerError::BadSetting {
                    setting,
                    needs,
                    value,
                    ..
                }) => Failure(format!(
                    "--set {setting}={value}: {setting} must be {needs}"
                )),
                Error::Layer(LayerError::UselessSetting { setting, needs, .. }) => {
                    useless(given, setting, needs)
                }
                error => error.into(),
            })?;
        let has_places = match &layer {
            Layer::DynamicRelu(DynamicRelu { variant, .. }) => *variant == Variant::C,
            _ => true,
        };
        for Given { key, .. } in given {
            match key.as_str() {
                "momentum" if !layer.trains() => return Err(useless(given, key, "norm=train")),
                "temperature" | "gamma" if !has_places => {
                    return Err(useless(given, key, "variant=c"));
                }
                _ => {}
            }
        }
        Ok(layer)
    }
}

/// A setting that changes nothing beside the others.
fn useless(given: &[Given], key: &str, needs: &str) -> Failure {
    let given = given.iter().find(|given| given.key == key);
    let given = given.map_or(key.to_owned(), Given::to_string);
    Failure(format!(
        "--set {given} changes nothing without --set {needs}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonlin::Chain;
    use nonlin::layers::Images;

    fn built(name: &str, settings: &[&str]) -> std::result::Result<Layer, String> {
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
                matches!(
                    parsed,
                    Err(Error::Chain(nonlin::ChainError::UnknownStep { .. }))
                ),
                "{}",
                known.name
            );
        }
    }

    /// Every setting that is told can be given, and its default changes nothing.
    #[test]
    fn defaults() {
        for known in &Known::ALL {
            for Setting { name, value, .. } in known.settings().unwrap() {
                let others: &[&str] = match (name, known.name) {
                    ("temperature" | "gamma", "dynamic_relu") => &["variant=c"],
                    ("eps" | "momentum", _) => &["norm=train"],
                    _ => &[],
                };
                let wanted = built(known.name, others);
                let text = format!("{name}={value}");
                let got = built(known.name, &[others, &[&text]].concat());
                assert_eq!(got, wanted, "{} {text}", known.name);
                assert!(built(known.name, &[others, &[&format!("{name}=?")]].concat()).is_err());
            }
        }
        for name in Layer::NAMES {
            assert_eq!(built(name, &[]), Ok(Layer::by_name(name).unwrap()));
        }
        assert_eq!(
            built("dynamic_relu", &[]),
            Ok(DynamicRelu::default().into())
        );
    }

    #[test]
    fn settings_are_those_given() {
        let texts = [
            "kernel=5x1",
            "bias=true",
            "momentum=0.25",
            "eps=1e-3",
            "norm=train",
        ];
        let wanted = "frelu(kernel=5x1, bias, norm=train, eps=1e-3, momentum=0.25)";
        assert_eq!(built("frelu", &texts), Ok(wanted.parse().unwrap()));
        let texts = [
            "k=3",
            "initial_slopes=1,-0.5, 0.25",
            "initial_intercepts=0.125,2",
        ];
        let lines = "k=3, initial_slopes=[1, -0.5, 0.25], initial_intercepts=[0.125, 2]";
        for variant in ["a", "b", "c"] {
            let name = format!("dyrelu_{variant}");
            let wanted = Ok(format!("{name}({lines})").parse().unwrap());
            assert_eq!(built(&name, &texts), wanted);
            let variant = format!("variant={variant}");
            let texts = [&texts[..], &[&variant]].concat();
            assert_eq!(built("dynamic_relu", &texts), wanted);
        }
        let texts = ["variant=c", "gamma=7.5", "temperature=4"];
        let wanted = "dyrelu_c(gamma=7.5, temperature=4)".parse().unwrap();
        assert_eq!(built("dynamic_relu", &texts), Ok(wanted));
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
            let listed = layer.parameters(&images).unwrap();
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
    }
}
