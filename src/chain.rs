//! Chains: short lists of steps, as data and as text.

use crate::compose::{self, Body, Form};
use crate::{Activation, DType, Error};
use std::fmt;
use std::str::FromStr;

/// Which way a chain is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// From x to y, the chain's value.
    Forward,
    /// From x and dy, the gradient with respect to the value, to dx, that with respect to x.
    Backward,
}

impl Pass {
    /// Both passes.
    pub const ALL: [Pass; 2] = [Pass::Forward, Pass::Backward];

    /// The names of the operands, in the order of their bindings; the last one is written.
    pub const fn operands(self) -> &'static [&'static str] {
        match self {
            Pass::Forward => &["x", "y"],
            Pass::Backward => &["x", "dy", "dx"],
        }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pass::Forward => "forward",
            Pass::Backward => "backward",
        })
    }
}

/// One link of a [`Chain`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Multiply by a constant.
    Scale(f32),
    /// Apply an activation.
    Activation(Activation),
}

const SCALE: &str = "scale";
const SCALE_PARAMETERS: &[&str] = &["factor"];

impl Step {
    /// The name, as text chains spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Scale(_) => SCALE,
            Step::Activation(activation) => activation.name(),
        }
    }

    /// The parameters' names.
    pub fn parameters(&self) -> &'static [&'static str] {
        match self {
            Step::Scale(_) => SCALE_PARAMETERS,
            Step::Activation(activation) => activation.parameters(),
        }
    }

    /// The parameters' values, in the order of [`parameters`](Self::parameters).
    pub fn values(&self) -> Vec<f32> {
        match self {
            Step::Scale(factor) => vec![*factor],
            Step::Activation(activation) => activation.values(),
        }
    }
}

impl From<Activation> for Step {
    fn from(activation: Activation) -> Self {
        Step::Activation(activation)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values();
        match (self, values.as_slice()) {
            (Step::Scale(factor), _) => write!(f, "{SCALE}({factor})"),
            (_, []) => f.write_str(self.name()),
            (_, values) => {
                let pairs = self.parameters().iter().zip(values);
                let arguments: Vec<_> = pairs.map(|(p, v)| format!("{p}={v}")).collect();
                write!(f, "{}({})", self.name(), arguments.join(", "))
            }
        }
    }
}

/// A short list of steps, applied in order to each element, as one dispatch.
///
/// ```
/// use nonlin::{Activation, Chain};
///
/// let chain = Chain::new().scale(0.5).act(Activation::Silu).scale(2.0);
/// assert_eq!(chain, "scale(0.5) | silu | scale(2)".parse()?);
/// assert_eq!(chain.to_string(), "scale(0.5) | silu | scale(2)");
///
/// let leaky: Chain = "leaky_relu(0.1)".parse()?;
/// assert_eq!(leaky.to_string(), "leaky_relu(negative_slope=0.1)");
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    steps: Vec<Step>,
}

impl Chain {
    /// A chain without steps, to be given some.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step that multiplies by `factor`.
    #[must_use]
    pub fn scale(self, factor: f32) -> Self {
        self.step(Step::Scale(factor))
    }

    /// Adds an activation.
    #[must_use]
    pub fn act(self, activation: Activation) -> Self {
        self.step(Step::Activation(activation))
    }

    /// Adds any step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The WGSL of a pass as one kernel, in the form that f32 operands at 16-byte places get: four
    /// elements a word, one word an invocation.
    ///
    /// # Errors
    /// [`Error::EmptyChain`], and [`Error::BadValue`] for a parameter that is not finite.
    pub fn wgsl(&self, pass: Pass) -> Result<String, Error> {
        self.validate()?;
        Ok(compose::kernel(
            Body::Chain(self, pass),
            &Form::plain(pass, DType::F32.into()),
        ))
    }

    /// The chain as WGSL functions of one element, to be pasted into somebody's own kernel:
    ///
    /// - `<prefix>_y(x: f32) -> f32`, the value,
    /// - `<prefix>_dx(x: f32, dy: f32) -> f32`, the gradient with respect to x.
    ///
    /// If the chain has parameters, both take a `c: <prefix>_Scalars` as well: a struct of one f32 for each,
    /// in the order of [`values`](Self::values); the text does not depend on what they are. Everything
    /// else in the text has names that begin with the prefix. A NaN is not taken care of: test x by its
    /// bits if it matters (no comparison of floats tells NaN on every driver).
    ///
    /// # Errors
    /// [`Error::EmptyChain`], [`Error::BadValue`], and [`Error::BadPrefix`].
    ///
    /// ```
    /// use nonlin::Chain;
    ///
    /// let text = "gelu | scale(2)".parse::<Chain>()?.functions("epilogue")?;
    /// assert!(text.contains("fn epilogue_y(x: f32, c: epilogue_Scalars) -> f32"));
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    pub fn functions(&self, prefix: &str) -> Result<String, Error> {
        self.validate()?;
        let letter_first = prefix.starts_with(|c: char| c.is_ascii_alphabetic());
        if !letter_first || prefix.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            return Err(Error::BadPrefix {
                prefix: prefix.to_owned(),
            });
        }
        Ok(compose::functions(self, prefix))
    }

    /// The values of all steps' parameters, in order: all that two chains of one structure differ in.
    pub fn values(&self) -> Vec<f32> {
        self.steps.iter().flat_map(Step::values).collect()
    }

    /// Refuses an empty chain and values that are not finite.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.steps.is_empty() {
            return Err(Error::EmptyChain);
        }
        for (index, step) in self.steps.iter().enumerate() {
            for (parameter, value) in step.parameters().iter().zip(step.values()) {
                if !value.is_finite() {
                    return Err(Error::BadValue {
                        step: index + 1,
                        name: step.name(),
                        parameter,
                        value: value.to_string(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The names of the steps: all that a kernel's text depends on.
    pub(crate) fn structure(&self) -> Vec<&'static str> {
        self.steps.iter().map(Step::name).collect()
    }
}

impl From<Activation> for Chain {
    fn from(activation: Activation) -> Self {
        Chain::new().act(activation)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            let separator = if index == 0 { "" } else { " | " };
            write!(f, "{separator}{step}")?;
        }
        Ok(())
    }
}

impl FromStr for Chain {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Err(Error::EmptyChain);
        }
        let steps = text.split('|').enumerate();
        let steps = steps
            .map(|(index, text)| parse_step(index + 1, text))
            .collect::<Result<_, _>>()?;
        let chain = Chain { steps };
        chain.validate()?;
        Ok(chain)
    }
}

/// The names of all steps.
pub(crate) fn known_steps() -> Vec<&'static str> {
    std::iter::once(SCALE)
        .chain(Activation::ALL.iter().map(Activation::name))
        .collect()
}

/// Reads one step: a name, and in parentheses its arguments by position or by name.
pub(crate) fn parse_step(step: usize, text: &str) -> Result<Step, Error> {
    let text = text.trim();
    let syntax = |problem| Error::Syntax {
        step,
        text: text.to_owned(),
        problem,
    };
    let (name, arguments) = match text.split_once('(') {
        None => (text, ""),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(arguments) => (name.trim_end(), arguments),
            None => return Err(syntax("the parenthesis is not closed")),
        },
    };
    if name.is_empty() {
        return Err(syntax("a step's name is missing"));
    }
    let (name, parameters, defaults) = match Activation::by_name(name) {
        Some(activation) => {
            let defaults = activation.values().into_iter().map(Some).collect();
            (activation.name(), activation.parameters(), defaults)
        }
        None if name == SCALE => (SCALE, SCALE_PARAMETERS, vec![None]),
        None => {
            let suggestion = suggest(name);
            return Err(Error::UnknownStep {
                step,
                name: name.to_owned(),
                suggestion,
            });
        }
    };

    let mut values: Vec<Option<f32>> = vec![None; parameters.len()];
    let given = arguments.split(',').map(str::trim).enumerate();
    for (position, argument) in
        given.filter(|(_, a)| !(a.is_empty() && arguments.trim().is_empty()))
    {
        let (index, value) = match argument.split_once('=') {
            Some((parameter, value)) => {
                let parameter = parameter.trim();
                let index = parameters.iter().position(|p| *p == parameter);
                (index.ok_or_else(|| parameter.to_owned()), value.trim())
            }
            None if position < parameters.len() => (Ok(position), argument),
            None => (Err(argument.to_owned()), argument),
        };
        let index = index.map_err(|parameter| Error::UnknownParameter {
            step,
            name,
            parameter,
            known: parameters,
        })?;
        if values[index].is_some() {
            return Err(syntax("a parameter is given twice"));
        }
        let parsed = value.parse::<f32>().ok().filter(|v| v.is_finite());
        values[index] = Some(parsed.ok_or_else(|| Error::BadValue {
            step,
            name,
            parameter: parameters[index],
            value: value.to_owned(),
        })?);
    }
    let mut complete = Vec::with_capacity(values.len());
    for ((value, default), parameter) in values.into_iter().zip(defaults).zip(parameters) {
        let value = value.or(default);
        complete.push(value.ok_or(Error::MissingParameter {
            step,
            name,
            parameter,
        })?);
    }
    Ok(match Activation::by_name(name) {
        Some(activation) => Step::Activation(activation.with_values(&complete)),
        None => Step::Scale(complete[0]),
    })
}

/// The known name most like `name`, if one is like it at all.
fn suggest(name: &str) -> Option<&'static str> {
    let aliases = Activation::ALL.iter().flat_map(|a| a.aliases()).copied();
    let name = name.to_ascii_lowercase();
    let scored = known_steps()
        .into_iter()
        .chain(aliases)
        .map(|k| (strsim::jaro_winkler(&name, k), k));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.8).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Chain, Error> {
        text.parse()
    }

    #[test]
    fn every_activation_round_trips() {
        for activation in Activation::ALL {
            let text = activation.to_string();
            assert_eq!(text.parse(), Ok(*activation), "{text}");
            for alias in activation.aliases() {
                assert_eq!(Activation::by_name(alias), Some(*activation), "{alias}");
            }
        }
    }

    #[test]
    fn names_and_aliases_are_unique() {
        let aliases = Activation::ALL.iter().flat_map(|a| a.aliases()).copied();
        let mut all: Vec<_> = known_steps().into_iter().chain(aliases).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn arguments_by_position_and_by_name() {
        let named = parse("softplus(threshold=10, beta=2)").unwrap();
        assert_eq!(parse(" softplus ( 2 , 10 ) ").unwrap(), named);
        assert_eq!(parse("softplus()").unwrap(), parse("softplus").unwrap());
        assert_eq!(
            parse("scale(factor=-1e-3)").unwrap(),
            Chain::new().scale(-1e-3)
        );
    }

    #[test]
    fn mistakes_say_where_and_what() {
        for (text, message) in [
            (
                "",
                "the chain is empty; it needs at least one step, such as \"silu\" or \"scale(2)\"",
            ),
            (
                "relu | silux",
                "step 2: unknown activation \"silux\"; did you mean \"silu\"?",
            ),
            (
                "relu||relu",
                "step 2: cannot read \"\": a step's name is missing",
            ),
            (
                "relu | scale(2",
                "step 2: cannot read \"scale(2\": the parenthesis is not closed",
            ),
            (
                "scale",
                "step 1: scale needs a value for factor, as in scale(factor=2)",
            ),
            (
                "scale(x)",
                "step 1: factor of scale must be a finite f32, not \"x\"",
            ),
            (
                "scale(inf)",
                "step 1: factor of scale must be a finite f32, not \"inf\"",
            ),
            (
                "scale(1e40)",
                "step 1: factor of scale must be a finite f32, not \"1e40\"",
            ),
            (
                "scale(1, 2)",
                "step 1: scale has no parameter \"2\"; it takes factor",
            ),
            (
                "silu(beta=1)",
                "step 1: silu has no parameter \"beta\"; it takes none",
            ),
            (
                "swish(beta=1,)",
                "step 1: swish has no parameter \"\"; it takes beta",
            ),
            (
                "swish(beta=1, beta=2)",
                "step 1: cannot read \"swish(beta=1, beta=2)\": a parameter is given twice",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
        let unlike = parse("qqqq").unwrap_err().to_string();
        assert!(unlike.contains("known are scale, "), "{unlike}");
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let chain = Chain::new().scale(f32::NAN);
        assert!(matches!(
            chain.validate(),
            Err(Error::BadValue { step: 1, .. })
        ));
    }
}
