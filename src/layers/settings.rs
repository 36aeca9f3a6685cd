//! Layers as text: their names, and their settings by name.

use super::{BatchNorm, DynamicRelu, Frelu, Layer, MetaAcon, Variant};
use crate::error::{Error, LayerError};
use std::fmt;
use std::str::FromStr;

/// A setting of a layer, as [`Layer::settings`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name, that of the field.
    pub name: &'static str,
    /// What its text must be, for people.
    pub needs: &'static str,
    /// Its value, as text that [`Layer::set`] takes.
    pub value: String,
}

/// The name that stands for all variants of dynamic ReLU. Which one it is, a setting tells.
const ANY_VARIANT: &str = "dynamic_relu";

/// How gamma is written where it is not a number.
const DEFAULT_GAMMA: &str = "H*W/3";

/// A field of a layer, through which its setting is read from text and written as text.
enum Field<'a> {
    Lengths(&'a mut (u64, u64)),
    Boolean(&'a mut bool),
    Whole(&'a mut u64),
    Number(&'a mut f64),
    Numbers(&'a mut Vec<f64>),
    Gamma(&'a mut Option<f64>),
    Variant(&'a mut Variant),
    Norm(&'a mut Option<BatchNorm>),
    /// A number of the norm's, where there is a norm.
    OfNorm(Option<&'a mut f64>),
}

impl Field<'_> {
    fn needs(&self) -> &'static str {
        match self {
            Field::Lengths(_) => {
                "one odd length up to 7, such as 3, or height x width, such as 3x1"
            }
            Field::Boolean(_) => "true or false",
            Field::Whole(_) => "a whole number",
            Field::Number(_) | Field::OfNorm(_) => "a number",
            Field::Numbers(_) => "numbers with commas between them, such as 1,0.5",
            Field::Gamma(_) => "a number, or H*W/3",
            Field::Variant(_) => "a, b or c",
            Field::Norm(_) => "none, eval or train",
        }
    }

    /// Changes the field to what a text says; none where it says nothing.
    fn read(self, text: &str) -> Option<()> {
        match self {
            Field::Lengths(lengths) => {
                *lengths = match text.split_once('x') {
                    Some((height, width)) => (parsed(height)?, parsed(width)?),
                    None => parsed(text).map(|length| (length, length))?,
                }
            }
            Field::Boolean(value) => *value = parsed(text)?,
            Field::Whole(value) => *value = parsed(text)?,
            Field::Number(value) => *value = parsed(text)?,
            Field::Numbers(values) => *values = numbers(text)?,
            Field::Gamma(value) => {
                *value = match text {
                    DEFAULT_GAMMA => None,
                    text => Some(parsed(text)?),
                }
            }
            Field::Variant(variant) => *variant = parsed(text)?,
            Field::Norm(norm) => {
                let training = match text {
                    "none" => None,
                    "eval" => Some(false),
                    "train" => Some(true),
                    _ => return None,
                };
                // What else is known of the norm stays.
                *norm = training.map(|training| BatchNorm {
                    training,
                    ..norm.unwrap_or_default()
                });
            }
            Field::OfNorm(value) => *value? = parsed(text)?,
        }
        Some(())
    }

    /// What `read` reads as the same.
    fn text(self) -> Option<String> {
        Some(match self {
            Field::Lengths((height, width)) if height == width => height.to_string(),
            Field::Lengths((height, width)) => format!("{height}x{width}"),
            Field::Boolean(value) => value.to_string(),
            Field::Whole(value) => value.to_string(),
            Field::Number(value) => number(*value),
            Field::Numbers(values) => match values[..] {
                [value] => number(value),
                _ => {
                    let all: Vec<_> = values.iter().map(|value| number(*value)).collect();
                    format!("[{}]", all.join(", "))
                }
            },
            Field::Gamma(value) => value.map_or(DEFAULT_GAMMA.to_owned(), number),
            Field::Variant(variant) => variant.to_string(),
            Field::Norm(norm) => match norm {
                None => "none".into(),
                Some(norm) if norm.training => "train".into(),
                Some(_) => "eval".into(),
            },
            Field::OfNorm(value) => number(*value?),
        })
    }
}

fn parsed<V: FromStr>(text: &str) -> Option<V> {
    text.trim().parse().ok()
}

/// `1, 0.5`, with brackets around it or without.
fn numbers(text: &str) -> Option<Vec<f64>> {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match inner.unwrap_or(text).trim() {
        "" if inner.is_some() => Some(Vec::new()),
        text => text.split(',').map(parsed).collect(),
    }
}

/// The shortest text that is read as the same number, without the `.0` of whole ones.
fn number(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

impl Layer {
    /// The names of all layers.
    pub const NAMES: [&str; 5] = ["frelu", "meta_acon", "dyrelu_a", "dyrelu_b", "dyrelu_c"];

    /// The layer of a name, all settings at their defaults; none if there is none of that name. `dynamic_relu` is the
    /// same as `dyrelu_b`, until its variant is set.
    pub fn by_name(name: &str) -> Option<Layer> {
        let dynamic = |variant| DynamicRelu {
            variant,
            ..DynamicRelu::default()
        };
        Some(match name {
            "frelu" => Frelu::default().into(),
            "meta_acon" => MetaAcon::default().into(),
            "dyrelu_a" => dynamic(Variant::A).into(),
            "dyrelu_b" => dynamic(Variant::B).into(),
            "dyrelu_c" => dynamic(Variant::C).into(),
            ANY_VARIANT => DynamicRelu::default().into(),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        match self {
            Layer::Frelu(_) => &["kernel", "bias", "light", "norm", "eps", "momentum"],
            Layer::MetaAcon(_) => &["reduction", "minimum", "norm", "eps", "momentum"],
            Layer::DynamicRelu(_) => &[
                "variant",
                "k",
                "reduction",
                "lambda_slope",
                "lambda_intercept",
                "initial_slopes",
                "initial_intercepts",
                "temperature",
                "gamma",
            ],
        }
    }

    fn field(&mut self, name: &str) -> Option<Field<'_>> {
        let of_norm = |norm, name| match name {
            "norm" => Some(Field::Norm(norm)),
            "eps" => Some(Field::OfNorm(norm.as_mut().map(|norm| &mut norm.eps))),
            "momentum" => Some(Field::OfNorm(norm.as_mut().map(|norm| &mut norm.momentum))),
            _ => None,
        };
        match self {
            Layer::Frelu(layer) => match name {
                "kernel" => Some(Field::Lengths(&mut layer.kernel)),
                "bias" => Some(Field::Boolean(&mut layer.bias)),
                "light" => Some(Field::Boolean(&mut layer.light)),
                name => of_norm(&mut layer.norm, name),
            },
            Layer::MetaAcon(layer) => match name {
                "reduction" => Some(Field::Whole(&mut layer.reduction)),
                "minimum" => Some(Field::Whole(&mut layer.minimum)),
                name => of_norm(&mut layer.norm, name),
            },
            Layer::DynamicRelu(layer) => Some(match name {
                "variant" => Field::Variant(&mut layer.variant),
                "k" => Field::Whole(&mut layer.k),
                "reduction" => Field::Whole(&mut layer.reduction),
                "lambda_slope" => Field::Number(&mut layer.lambda_slope),
                "lambda_intercept" => Field::Number(&mut layer.lambda_intercept),
                "initial_slopes" => Field::Numbers(&mut layer.initial_slopes),
                "initial_intercepts" => Field::Numbers(&mut layer.initial_intercepts),
                "temperature" => Field::Number(&mut layer.temperature),
                "gamma" => Field::Gamma(&mut layer.gamma),
                _ => return None,
            }),
        }
    }

    /// The layer's settings with their values, in the order of [`Display`](fmt::Display). Those of a norm, `eps` and
    /// `momentum`, are there where it has one.
    pub fn settings(&self) -> Vec<Setting> {
        let mut layer = self.clone();
        let mut setting = |name| {
            Some(Setting {
                name,
                needs: layer.field(name)?.needs(),
                value: layer.field(name)?.text()?,
            })
        };
        let names = self.names().iter();
        names.filter_map(|name| setting(*name)).collect()
    }

    /// Changes a setting to what a text says. Whether the value is in range, [`parameters`](Self::parameters) tells,
    /// and all else that uses the layer.
    ///
    /// ```
    /// use nonlin::layers::Layer;
    ///
    /// let mut layer: Layer = "dyrelu_b".parse()?;
    /// layer.set("initial_slopes", "1, 0.5")?;
    /// assert_eq!(layer.to_string(), "dyrelu_b(initial_slopes=[1, 0.5])");
    /// let wrong = layer.set("k", "two").unwrap_err();
    /// assert_eq!(wrong.to_string(), "dyrelu_b: k must be a whole number, not two");
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`LayerError::UnknownSetting`]; [`LayerError::BadSetting`] for text that is no value of it;
    /// [`LayerError::UselessSetting`] for `eps` and `momentum` where there is no norm. The layer is then as it was.
    pub fn set(&mut self, setting: &str, value: &str) -> Result<(), Error> {
        let layer = self.name();
        let names = self.names();
        let unknown = || {
            Error::Layer(LayerError::UnknownSetting {
                layer,
                setting: setting.to_owned(),
                known: names.to_vec(),
            })
        };
        let known = names.iter().copied().find(|name| *name == setting);
        let setting = known.ok_or_else(unknown)?;
        let field = self.field(setting).ok_or_else(unknown)?;
        let needs = field.needs();
        if let Field::OfNorm(None) = field {
            return Err(Error::Layer(LayerError::UselessSetting {
                layer,
                setting,
                needs: "norm=eval or train",
            }));
        }
        field.read(value).ok_or_else(|| {
            Error::Layer(LayerError::BadSetting {
                layer,
                setting,
                needs: needs.to_owned(),
                value: value.to_owned(),
            })
        })
    }

    /// Changes several settings, given by name and text in whichever order: a norm is set before what belongs to it.
    ///
    /// # Errors
    /// Those of [`set`](Self::set); [`LayerError::Syntax`] for a setting that is given twice. The layer is then as it
    /// was.
    pub fn set_all(&mut self, settings: &[(&str, &str)]) -> Result<(), Error> {
        for (index, (name, value)) in settings.iter().enumerate() {
            if settings[..index].iter().any(|(other, _)| other == name) {
                return Err(Error::Layer(LayerError::Syntax {
                    text: format!("{name}={value}"),
                    problem: "a setting is given twice",
                }));
            }
        }
        let mut changed = self.clone();
        let (norm, rest): (Vec<_>, Vec<_>) = settings.iter().partition(|(name, _)| *name == "norm");
        for (name, value) in norm.into_iter().chain(rest) {
            changed.set(name, value)?;
        }
        *self = changed;
        Ok(())
    }

    /// A setting's value where it is not given.
    fn default_of(&self, setting: &str) -> Option<String> {
        let mut plain = Layer::by_name(self.name())?;
        if matches!(setting, "eps" | "momentum") {
            plain = plain.with_norm(BatchNorm::default());
        }
        plain.field(setting)?.text()
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layer = self.clone();
        let mut given = Vec::new();
        for Setting { name, value, .. } in self.settings() {
            let is_boolean = matches!(layer.field(name), Some(Field::Boolean(true)));
            match self.default_of(name) {
                Some(default) if default == value => {}
                _ if is_boolean => given.push(name.to_owned()),
                _ => given.push(format!("{name}={value}")),
            }
        }
        f.write_str(self.name())?;
        match given.is_empty() {
            true => Ok(()),
            false => write!(f, "({})", given.join(", ")),
        }
    }
}

impl FromStr for Layer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let problem = |problem| {
            Error::Layer(LayerError::Syntax {
                text: text.to_owned(),
                problem,
            })
        };
        let (name, settings) = match text.split_once('(') {
            None => (text, ""),
            Some((name, rest)) => {
                let inside = rest.strip_suffix(')');
                let inside = inside.ok_or_else(|| problem("the parenthesis is not closed"))?;
                (name.trim_end(), inside)
            }
        };
        let mut layer = Layer::by_name(name).ok_or_else(|| Error::UnknownName {
            what: "layer",
            text: name.to_owned(),
            known: Layer::NAMES.map(str::to_owned).to_vec(),
        })?;
        let mut given = Vec::new();
        for piece in pieces(settings) {
            given.push(match piece.split_once('=') {
                Some((name, value)) => (name.trim(), value.trim()),
                None if matches!(layer.field(piece), None | Some(Field::Boolean(_))) => {
                    (piece, "true")
                }
                None => return Err(problem("a setting needs a value, as in kernel=3")),
            });
        }
        let plain = layer.name();
        layer.set_all(&given)?;
        if name != ANY_VARIANT && layer.name() != plain {
            return Err(Error::Layer(LayerError::BadSetting {
                layer: plain,
                setting: "variant",
                needs: "that of the name".into(),
                value: layer.name().into(),
            }));
        }
        Ok(layer)
    }
}

/// What stands between commas, those in brackets apart; nothing of nothing.
fn pieces(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    let between = |c: char| {
        is_inside = c == '[' || (is_inside && c != ']');
        c == ',' && !is_inside
    };
    match text.trim() {
        "" => Vec::new(),
        text => text.split(between).map(str::trim).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Order;
    use super::*;

    fn parse(text: &str) -> Result<Layer, Error> {
        text.parse()
    }

    /// Every setting, at another value than its default.
    #[test]
    fn every_setting_is_read_and_written() {
        let frelu = Frelu {
            kernel: (5, 1),
            bias: true,
            norm: Some(BatchNorm {
                eps: 1e-3,
                momentum: 0.25,
                training: true,
            }),
            light: true,
        };
        let meta_acon = MetaAcon {
            reduction: 3,
            minimum: 5,
            norm: Some(BatchNorm {
                eps: 0.5,
                ..BatchNorm::default()
            }),
        };
        let dynamic = DynamicRelu {
            variant: Variant::C,
            k: 3,
            reduction: 2,
            lambda_slope: 0.75,
            lambda_intercept: -1.5,
            initial_slopes: vec![1.0, -0.5, 1e300],
            initial_intercepts: vec![0.125],
            temperature: 4.0,
            gamma: Some(7.5),
        };
        for (layer, text) in [
            (
                Layer::from(frelu),
                "frelu(kernel=5x1, bias, light, norm=train, eps=0.001, momentum=0.25)",
            ),
            (
                meta_acon.into(),
                "meta_acon(reduction=3, minimum=5, norm=eval, eps=0.5)",
            ),
            (
                dynamic.into(),
                "dyrelu_c(k=3, reduction=2, lambda_slope=0.75, lambda_intercept=-1.5, \
                 initial_slopes=[1, -0.5, 1e300], initial_intercepts=0.125, temperature=4, gamma=7.5)",
            ),
        ] {
            assert_eq!(layer.to_string(), text);
            assert_eq!(parse(text), Ok(layer.clone()));
            let mut again = Layer::by_name(layer.name()).unwrap();
            for Setting { name, value, .. } in layer.settings() {
                again.set(name, &value).unwrap();
            }
            assert_eq!(again, layer);
        }
    }

    /// What has no effect here is written too: that of another variant, and of a norm that does not train.
    #[test]
    fn what_changes_nothing_is_kept() {
        let norm = BatchNorm {
            momentum: 0.5,
            ..BatchNorm::default()
        };
        let frelu = Frelu {
            norm: Some(norm),
            ..Frelu::default()
        };
        let dynamic = DynamicRelu {
            variant: Variant::A,
            initial_slopes: Vec::new(),
            gamma: Some(2.0),
            ..DynamicRelu::default()
        };
        for layer in [Layer::from(frelu), dynamic.into()] {
            assert_eq!(parse(&layer.to_string()), Ok(layer));
        }
    }

    #[test]
    fn names_are_those_of_layers() {
        for name in Layer::NAMES {
            let layer = Layer::by_name(name).unwrap();
            assert_eq!((layer.name(), layer.to_string()), (name, name.to_owned()));
            assert_eq!(parse(name), Ok(layer.clone()));
            let listed: Vec<_> = layer.settings().iter().map(|s| s.name).collect();
            let named = layer.with_norm(BatchNorm::default());
            assert!(listed.iter().all(|name| named.names().contains(name)));
            assert_eq!(named.settings().len(), named.names().len());
        }
        assert_eq!(parse("frelu"), Ok(Frelu::default().into()));
        assert_eq!(parse("meta_acon()"), Ok(MetaAcon::default().into()));
        assert_eq!(parse("dynamic_relu"), Ok(DynamicRelu::default().into()));
        assert_eq!(parse("dynamic_relu(variant=a)"), parse(" dyrelu_a "));
        assert_eq!(parse("dyrelu_a(variant=a)"), parse("dyrelu_a"));
    }

    #[test]
    fn orders_and_variants_are_read_as_they_are_displayed() {
        for order in Order::ALL {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        for variant in Variant::ALL {
            assert_eq!(variant.to_string().parse(), Ok(variant));
        }
        let unknown = "hwcn".parse::<Order>().unwrap_err().to_string();
        assert_eq!(unknown, "unknown order \"hwcn\"; known are nchw, nhwc");
        let unknown = "A".parse::<Variant>().unwrap_err().to_string();
        assert_eq!(unknown, "unknown variant \"A\"; known are a, b, c");
    }

    #[test]
    fn words_are_read() {
        let wanted = parse("frelu(kernel=3x1, light, norm=train, eps=0.5)");
        for text in [
            "frelu(eps=0.5, light=true, norm=train, kernel=3x1)",
            " frelu ( kernel = 3x1 , light , norm = train , eps = 5e-1, bias=false ) ",
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
        let mut layer = parse("dyrelu_c(gamma=2)").unwrap();
        layer.set("gamma", "H*W/3").unwrap();
        assert_eq!(layer.to_string(), "dyrelu_c");
        for (text, wanted) in [
            ("1", Some(vec![1.0])),
            ("1,-0.5, 2", Some(vec![1.0, -0.5, 2.0])),
            ("[1, -0.5]", Some(vec![1.0, -0.5])),
            ("[]", Some(vec![])),
            ("", None),
            ("1,,2", None),
            ("[1", None),
        ] {
            assert_eq!(numbers(text), wanted, "{text}");
        }
        for text in ["3x", "x3", "3x1x1", "-3", "3.0", "3,3"] {
            assert!(
                Layer::from(Frelu::default()).set("kernel", text).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (text, message) in [
            (
                "relu",
                "unknown layer \"relu\"; known are frelu, meta_acon, dyrelu_a, dyrelu_b, dyrelu_c",
            ),
            (
                "frelu(kernel=3",
                "cannot read \"frelu(kernel=3\" of a layer: the parenthesis is not closed",
            ),
            (
                "frelu(kernel)",
                "cannot read \"frelu(kernel)\" of a layer: a setting needs a value, as in kernel=3",
            ),
            (
                "frelu(light, light=false)",
                "cannot read \"light=false\" of a layer: a setting is given twice",
            ),
            (
                "frelu(kernal=3)",
                "frelu has no setting \"kernal\"; it has kernel, bias, light, norm, eps, momentum",
            ),
            (
                "frelu(kernel=3,)",
                "frelu has no setting \"\"; it has kernel, bias, light, norm, eps, momentum",
            ),
            (
                "meta_acon(norm=evaluation)",
                "meta_acon: norm must be none, eval or train, not evaluation",
            ),
            (
                "meta_acon(eps=0.5)",
                "meta_acon: eps changes nothing without norm=eval or train",
            ),
            (
                "dyrelu_a(variant=c)",
                "dyrelu_a: variant must be that of the name, not dyrelu_c",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
        let mut layer = parse("frelu").unwrap();
        assert!(layer.set_all(&[("bias", "true"), ("kernel", "?")]).is_err());
        assert_eq!(layer, Frelu::default().into());
    }
}
