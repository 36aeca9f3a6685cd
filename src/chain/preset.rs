//! Presets: names that stand for chains.

use crate::error::{ChainError, Error};

/// A name that stands for a chain in text. What it stands for is what is printed.
///
/// ```
/// let chain: nonlin::Chain = "softcap(30) | swiglu(gate=@up)".parse()?;
/// assert_eq!(chain.to_string(), "scale(0.033333335) | tanh | scale(30) | silu | gate(@up)");
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    name: &'static str,
    aliases: &'static [&'static str],
    /// Names, and what they are where they are not given.
    parameters: &'static [(&'static str, Option<&'static str>)],
    text: &'static str,
}

const GATE: &[(&str, Option<&str>)] = &[("gate", Some("@g"))];

const BIASES: &[(&str, Option<&str>)] = &[
    ("bias", Some("@bias")),
    ("gate", Some("@g")),
    ("gate_bias", Some("@gate_bias")),
];

const fn preset(
    name: &'static str,
    aliases: &'static [&'static str],
    parameters: &'static [(&'static str, Option<&'static str>)],
    text: &'static str,
) -> Preset {
    Preset {
        name,
        aliases,
        parameters,
        text,
    }
}

impl Preset {
    /// The list. In the text, `{p}` is the parameter p, `{-p}` its negative, and `{1/p}` its reciprocal. x of a gated one is
    /// the half that the activation is for.
    pub const ALL: &'static [Preset] = &[
        preset("glu", &[], GATE, "sigmoid | gate({gate})"),
        preset("reglu", &[], GATE, "relu | gate({gate})"),
        preset("sreglu", &[], GATE, "relu_squared | gate({gate})"),
        preset("geglu", &[], GATE, "gelu | gate({gate})"),
        preset("geglu_tanh", &[], GATE, "gelu_tanh | gate({gate})"),
        preset(
            "qgeglu",
            &["geglu_quick"],
            GATE,
            "quick_gelu | gate({gate})",
        ),
        preset("swiglu", &[], GATE, "silu | gate({gate})"),
        preset(
            "clip",
            &["clamp", "Clip"],
            &[("min", Some("-inf")), ("max", Some("inf"))],
            "hardtanh({min}, {max})",
        ),
        // gpt-oss; its halves alternate.
        preset(
            "swiglu_oai",
            &[],
            &[
                ("limit", Some("7")),
                ("alpha", Some("1.702")),
                ("gate", Some("@g")),
            ],
            "hardtanh(-inf, {limit}) | swish({alpha}) | gate({gate} | hardtanh({-limit}, {limit}) | bias(1))",
        ),
        // DeepSeek-V4.
        preset(
            "clamped_swiglu",
            &[],
            &[("limit", None), ("gate", Some("@g"))],
            "hardtanh(-inf, {limit}) | silu | gate({gate} | hardtanh({-limit}, {limit}))",
        ),
        // Step 3: clamped behind the activation.
        preset(
            "swiglu_step",
            &[],
            &[("limit", None), ("gate", Some("@g"))],
            "silu | hardtanh(-inf, {limit}) | gate({gate} | hardtanh({-limit}, {limit}))",
        ),
        // TransformerEngine, FlashInfer.
        preset(
            "situ_glu",
            &[],
            &[
                ("beta1", Some("1")),
                ("beta2", Some("1")),
                ("gate", Some("@g")),
            ],
            "situ({beta1}) | gate({gate} | scale({1/beta2}) | tanh | scale({beta2}))",
        ),
        // FlashInfer's swiglu, and ONNX Runtime's gelu, with a bias on each half.
        preset(
            "swiglu_bias",
            &[],
            BIASES,
            "bias({bias}) | silu | gate({gate} | bias({gate_bias}))",
        ),
        preset(
            "bias_split_gelu",
            &["BiasSplitGelu"],
            BIASES,
            "bias({bias}) | gelu | gate({gate} | bias({gate_bias}))",
        ),
        // vLLM's.
        preset(
            "fatreglu",
            &[],
            &[("threshold", None), ("gate", Some("@g"))],
            "threshold({threshold}, 0) | gate({gate})",
        ),
        // Of attention: the gate has a value for each element, or for each head.
        preset("sigmoid_gate", &[], GATE, "gate({gate} | sigmoid)"),
        // TransformerEngine's, with a weight for each row.
        preset(
            "scaled_swiglu",
            &[],
            &[("scale", Some("@scale")), ("gate", Some("@g"))],
            "silu | gate({gate}) | scale({scale})",
        ),
        preset("softmin", &["Softmin"], &[], "scale(-1) | softmax"),
        // Softmax with one more column, of zero, that is dropped.
        preset("quiet_softmax", &["softmax_one"], &[], "softmax(sink=0)"),
        preset("gelu_10", &[], &[], "gelu | hardtanh(-10, 10)"),
        preset(
            "softcap",
            &[],
            &[("c", None)],
            "scale({1/c}) | tanh | scale({c})",
        ),
        preset(
            "dyt",
            &[],
            &[
                ("alpha", Some("@alpha")),
                ("weight", Some("@weight")),
                ("bias", Some("@bias")),
            ],
            "scale({alpha}) | tanh | scale({weight}) | bias({bias})",
        ),
        preset(
            "onnx_selu",
            &[],
            &[("alpha", Some("1.6732632")), ("gamma", Some("1.050701"))],
            "elu({alpha}) | scale({gamma})",
        ),
    ];

    /// The name, as text chains spell it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Other names under which it parses.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// The parameters' names, and their values where they are not given, as text.
    pub fn parameters(&self) -> &'static [(&'static str, Option<&'static str>)] {
        self.parameters
    }

    /// What it stands for, with `{parameter}` and `{1/parameter}` in the places of values.
    pub fn text(&self) -> &'static str {
        self.text
    }

    pub(super) fn by_name(name: &str) -> Option<&'static Preset> {
        let mut all = Self::ALL.iter();
        all.find(|preset| preset.name == name || preset.aliases.contains(&name))
    }

    /// The values of the parameters, each given under its name or in their order; none of those that are not given.
    fn values<'a>(
        &self,
        step: usize,
        given: &[(Option<&str>, &'a str)],
    ) -> Result<Vec<Option<&'a str>>, Error> {
        let mut values: Vec<Option<&'a str>> = vec![None; self.parameters.len()];
        for (position, (name, value)) in given.iter().enumerate() {
            let at = match name {
                Some(name) => self.parameters.iter().position(|(known, _)| known == name),
                None => Some(position).filter(|at| *at < values.len()),
            };
            let Some(at) = at else {
                return Err(Error::Chain(ChainError::UnknownParameter {
                    step: Some(step),
                    name: self.name.to_owned(),
                    parameter: name.unwrap_or(value).to_owned(),
                    known: self
                        .parameters
                        .iter()
                        .map(|(name, _)| (*name).to_owned())
                        .collect(),
                }));
            };
            if values[at].replace(value).is_some() {
                return Err(Error::Chain(ChainError::Syntax {
                    step,
                    text: self.name.to_owned(),
                    problem: "a parameter is given twice",
                }));
            }
        }
        Ok(values)
    }

    /// The chain's text, with these values.
    pub(super) fn expanded(
        &self,
        step: usize,
        given: &[(Option<&str>, &str)],
    ) -> Result<String, Error> {
        let mut values = self.values(step, given)?;
        // Of bounds that have changed places, all frameworks let the upper one win.
        if self.name == "clip" {
            let number = |at: usize| values[at].and_then(|value| value.parse::<f32>().ok());
            if number(0).zip(number(1)).is_some_and(|(min, max)| min > max) {
                values[0] = values[1];
            }
        }
        let mut text = self.text.to_owned();
        for ((name, default), value) in self.parameters.iter().zip(values) {
            let Some(value) = value.or(*default) else {
                return Err(Error::Chain(ChainError::MissingParameter {
                    step,
                    name: self.name.to_owned(),
                    parameter: (*name).to_owned(),
                }));
            };
            let (reciprocal, negative) = (format!("{{1/{name}}}"), format!("{{-{name}}}"));
            if text.contains(&reciprocal) {
                text = text.replace(&reciprocal, &self.reciprocal(step, name, value)?);
            }
            if text.contains(&negative) {
                let number = value.parse::<f32>().ok().filter(|v| *v > 0.0);
                let number =
                    number.ok_or_else(|| self.bad(step, name, "a number above 0", value))?;
                text = text.replace(&negative, &(-number).to_string());
            }
            text = text.replace(&format!("{{{name}}}"), value);
        }
        Ok(text)
    }

    /// One over a number, as f32.
    fn reciprocal(&self, step: usize, parameter: &str, value: &str) -> Result<String, Error> {
        let number = value.parse::<f32>().ok();
        let number = number
            .map(|v| 1.0 / v)
            .filter(|v| v.is_finite() && *v != 0.0);
        let needs = "a finite number other than 0";
        let number = number.ok_or_else(|| self.bad(step, parameter, needs, value))?;
        Ok(number.to_string())
    }

    fn bad(&self, step: usize, parameter: &str, needs: &'static str, value: &str) -> Error {
        Error::Chain(ChainError::BadArgument {
            step,
            name: self.name.to_owned(),
            parameter: parameter.to_owned(),
            needs,
            value: value.to_owned(),
        })
    }
}
