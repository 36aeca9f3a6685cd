//! The text form of chains: what prints them, and what reads them.

use super::Chain;
use super::custom::Custom;
use super::step::{Argument, Function, PLAIN, Step};
use crate::act::Activation;
use crate::error::{ChainError, Error};
use std::fmt;
use std::str::FromStr;

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Constant(value) => value.fmt(f),
            Argument::Operand(name) => write!(f, "@{name}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if self.arguments.is_empty() {
            return Ok(());
        }
        let positional = matches!(
            self.function,
            Function::Scale | Function::Bias | Function::Gate | Function::Residual
        );
        let pairs = self.parameters().into_iter().zip(&self.arguments);
        let arguments: Vec<_> = pairs
            .map(|(p, v)| {
                if positional {
                    v.to_string()
                } else {
                    format!("{p}={v}")
                }
            })
            .collect();
        write!(f, "({})", arguments.join(", "))
    }
}

impl Chain {
    /// Reads a chain in which activations of the user's own may stand.
    ///
    /// # Errors
    /// As [`parse`](str::parse).
    pub fn parse_with(text: &str, own: &[Custom]) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Err(Error::Chain(ChainError::Empty));
        }
        let steps = text.split('|').enumerate();
        let steps = steps
            .map(|(index, text)| parse_step(index + 1, text, own))
            .collect::<Result<_, _>>()?;
        let chain = Chain { steps };
        chain.validate()?;
        Ok(chain)
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
        Chain::parse_with(text, &[])
    }
}

/// As a step of a chain is.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Step::from(*self).fmt(f)
    }
}

/// As a step of a chain is, with constants alone.
impl FromStr for Activation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let step = parse_step(1, text, &[])?;
        let is_none = || unknown(1, text.trim(), None);
        step.activation().ok_or_else(is_none)
    }
}

/// The names of all steps.
pub(crate) fn known_steps() -> Vec<&'static str> {
    let plain = PLAIN.iter().map(|(_, name, ..)| *name);
    plain
        .chain(Activation::ALL.iter().map(Activation::name))
        .collect()
}

/// A name that is no step's.
fn unknown(step: usize, name: &str, suggestion: Option<&'static str>) -> Error {
    Error::Chain(ChainError::UnknownStep {
        step,
        name: name.to_owned(),
        suggestion,
        known: known_steps(),
    })
}

/// Reads one step: a name, and in parentheses its arguments by position or by name.
fn parse_step(step: usize, text: &str, own: &[Custom]) -> Result<Step, Error> {
    let text = text.trim();
    let syntax = |problem| {
        Error::Chain(ChainError::Syntax {
            step,
            text: text.to_owned(),
            problem,
        })
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
    let function = Function::by_name(name, own);
    let function = function.ok_or_else(|| unknown(step, name, suggest(name)))?;
    let mut read = Step::new(function, Vec::new());
    let mut values: Vec<Option<Argument>> = vec![None; read.parameters().len()];
    let given = arguments.split(',').map(str::trim).enumerate();
    for (position, argument) in
        given.filter(|(_, a)| !(a.is_empty() && arguments.trim().is_empty()))
    {
        let (index, value) = match argument.split_once('=') {
            Some((parameter, value)) => {
                (read.index_of(Some(step), parameter.trim())?, value.trim())
            }
            None if position < values.len() => (position, argument),
            None => (read.index_of(Some(step), argument)?, argument),
        };
        if values[index].is_some() {
            return Err(syntax("a parameter is given twice"));
        }
        values[index] = Some(parse_argument(step, &read, index, value)?);
    }
    read.arguments = with_defaults(step, &read, values)?;
    read.validate(step)?;
    Ok(read)
}

/// Reads a parameter's value: a number, or an operand's name.
fn parse_argument(step: usize, read: &Step, index: usize, value: &str) -> Result<Argument, Error> {
    if let Some(name) = value.strip_prefix('@') {
        return Ok(name.into());
    }
    // A number too large for f32 is not meant to be infinite; only inf is.
    let is_spelled = value.contains(['i', 'I']) && read.function().takes_infinity();
    let is_meant = |v: &f32| v.is_finite() || (v.is_infinite() && is_spelled);
    let number = value.parse::<f32>().ok().filter(is_meant);
    let number = number.ok_or_else(|| {
        Error::Chain(ChainError::BadValue {
            step,
            name: read.name().to_owned(),
            parameter: read.parameters()[index].to_owned(),
            value: value.to_owned(),
        })
    })?;
    Ok(number.into())
}

/// The values of all parameters, where not all need be given.
fn with_defaults(
    step: usize,
    read: &Step,
    values: Vec<Option<Argument>>,
) -> Result<Vec<Argument>, Error> {
    let defaults = read.function.defaults().into_iter();
    let parameters = read.parameters().into_iter().zip(defaults);
    let all = values.into_iter().zip(parameters);
    all.map(|(value, (parameter, default))| {
        let value = value.or(default.map(Argument::Constant));
        value.ok_or_else(|| {
            Error::Chain(ChainError::MissingParameter {
                step,
                name: read.name().to_owned(),
                parameter: parameter.to_owned(),
            })
        })
    })
    .collect()
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
            Err(Error::Chain(ChainError::BadValue { step: 1, .. }))
        ));
    }
}
