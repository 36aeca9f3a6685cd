//! The text form of chains: what prints them, and what reads them.

mod rows;

use super::Chain;
use super::custom::Custom;
use super::preset::Preset;
use super::step::{Argument, Branch, Function, PLAIN, Step};
use crate::act::Activation;
use crate::error::{ChainError, Error};
use crate::tensor::dtype::DType;
use rows::{parse_row, row_by_name};
use std::fmt;
use std::str::FromStr;

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Constant(value) => value.fmt(f),
            Argument::Operand(name) => write!(f, "@{name}"),
            Argument::Branch(branch) => write!(f, "@{} | {}", branch.operand(), branch.chain()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Function::Row(row) = &self.function {
            return self.fmt_row(*row, f);
        }
        if self.arguments.is_empty() {
            return Ok(());
        }
        let positional = matches!(
            self.function,
            Function::Scale
                | Function::Bias
                | Function::Gate
                | Function::Residual
                | Function::Causal
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
        let mut steps = Vec::new();
        for (index, text) in outside(text, '|').enumerate() {
            steps.extend(parse_steps(index + 1, text, own)?);
        }
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
        let steps = parse_steps(1, text, &[])?;
        let activation = match steps.as_slice() {
            [step] => step.activation(),
            _ => None,
        };
        activation.ok_or_else(|| unknown(1, text.trim(), None))
    }
}

/// The names of all steps and presets.
pub(crate) fn known_steps() -> Vec<&'static str> {
    let plain = PLAIN.iter().map(|(_, name, ..)| *name);
    plain
        .chain(Activation::ALL.iter().map(Activation::name))
        .chain(Preset::ALL.iter().map(Preset::name))
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

/// A step's arguments as they are written: with a parameter's name or without.
type Given<'a> = Vec<(Option<&'a str>, &'a str)>;

/// What stands before a name where it was copied from somebody's program.
const PATHS: [&str; 6] = [
    "torch.nn.functional.",
    "torch.nn.",
    "jax.nn.",
    "timm.layers.",
    "nn.",
    "F.",
];

/// Parameters under the names that ONNX's attributes and others have: of a step, the other name, and the parameter.
const RENAMED: [(&str, &str, &str); 4] = [
    ("leaky_relu", "alpha", "negative_slope"),
    ("swish", "alpha", "beta"),
    ("hardtanh", "min", "min_val"),
    ("hardtanh", "max", "max_val"),
];

/// The parts of a text between separators that stand in no parentheses.
pub(super) fn outside(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut depth = 0usize;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && c == separator
    })
}

/// How deep branches may stand in branches: deeper than any device has bindings, and so that no text exhausts the stack.
const DEPTH: usize = 32;

/// Reads a step, or the steps that a preset stands for.
fn parse_steps(step: usize, text: &str, own: &[Custom]) -> Result<Vec<Step>, Error> {
    let (name, mut given) = split(step, text)?;
    if own.iter().any(|custom| custom.name() == name) {
        return Ok(vec![parse_step(step, text, name, &given, own)?]);
    }
    let path = PATHS.iter().find_map(|path| name.strip_prefix(path));
    let name = match path.unwrap_or(name) {
        "Dropout" => "dropout",
        "RReLU" => "rrelu",
        name => name,
    };
    if let ("round", [(None, dtype)]) = (name, &given[..]) {
        return Ok(vec![round(step, dtype)?]);
    }
    let name = as_printed(name, &mut given);
    if let Some(row) = row_by_name(name) {
        return parse_row(step, text, row, given, own);
    }
    let Some(preset) = Preset::by_name(name) else {
        return Ok(vec![parse_step(step, text, name, &given, own)?]);
    };
    let expanded = preset.expanded(step, &given)?;
    let steps = outside(&expanded, '|').map(|text| {
        let (name, given) = split(step, text)?;
        parse_step(step, text, name, &given, own)
    });
    steps.collect()
}

/// The step that rounds to a dtype of this name.
fn round(step: usize, dtype: &str) -> Result<Step, Error> {
    let dtype = dtype.parse::<DType>().map_err(|_| {
        Error::Chain(ChainError::BadArgument {
            step,
            name: "round".into(),
            parameter: "dtype".into(),
            needs: "f16 or bf16",
            value: dtype.to_owned(),
        })
    })?;
    Ok(Step::round(dtype))
}

/// What a module's printed form, or an operator with its attributes, is called here. Arguments that change nothing are
/// left out: whether it works in place is said elsewhere.
fn as_printed<'a>(name: &'a str, given: &mut Given<'a>) -> &'a str {
    let unquoted = |value: &'a str| value.trim_matches(['\'', '"']);
    let mut take = |wanted: &str, allowed: &[&str]| {
        let is_it = |(name, value): &(Option<&str>, &'a str)| {
            *name == Some(wanted) && allowed.contains(&unquoted(value))
        };
        let at = given.iter().position(is_it)?;
        Some(unquoted(given.remove(at).1))
    };
    let activation = Activation::by_name(name).map(|activation| activation.name());
    if activation.is_some() || ["dropout", "rrelu"].contains(&name) {
        take("inplace", &["True", "False"]);
    }
    match (activation, name) {
        (Some("gelu"), _) => match take("approximate", &["tanh", "none"]) {
            Some("tanh") => "gelu_tanh",
            _ => name,
        },
        // ONNX's, with factors of its own.
        (_, "Selu") if !given.is_empty() => "onnx_selu",
        (_, "QuickGelu") if !given.is_empty() => "swish",
        _ => name,
    }
}

/// A step's name, and what is in parentheses behind it.
fn split(step: usize, text: &str) -> Result<(&str, Given<'_>), Error> {
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
    if arguments.trim().is_empty() {
        return Ok((name, Vec::new()));
    }
    let depth = arguments.chars().scan(0, |depth, c| {
        *depth += usize::from(c == '(');
        *depth -= usize::from(c == ')' && *depth > 0);
        Some(*depth)
    });
    if depth.max().unwrap_or(0) > DEPTH {
        return Err(syntax("its branches stand too deep in each other"));
    }
    let given = outside(arguments, ',').map(|argument| match argument.split_once('=') {
        // In a branch, the steps' own.
        Some((parameter, value)) if !parameter.contains('@') => {
            (Some(parameter.trim()), value.trim())
        }
        _ => (None, argument.trim()),
    });
    Ok((name, given.collect()))
}

/// Reads one step, whose arguments are given by position or by name.
fn parse_step(
    step: usize,
    text: &str,
    name: &str,
    given: &Given<'_>,
    own: &[Custom],
) -> Result<Step, Error> {
    let function = Function::by_name(name, own);
    let function = function.ok_or_else(|| unknown(step, name, suggest(name)))?;
    let mut read = Step::new(function, Vec::new());
    let mut values: Vec<Option<Argument>> = vec![None; read.parameters().len()];
    for (position, (parameter, value)) in given.iter().enumerate() {
        let index = match parameter {
            Some(parameter) => {
                let renamed = RENAMED
                    .iter()
                    .find(|(of, other, _)| (*of, *other) == (read.name(), *parameter));
                let parameter = renamed.map_or(*parameter, |(.., parameter)| parameter);
                read.index_of(Some(step), parameter)?
            }
            None if position < values.len() => position,
            None => read.index_of(Some(step), value)?,
        };
        if values[index].is_some() {
            return Err(Error::Chain(ChainError::Syntax {
                step,
                text: text.trim().to_owned(),
                problem: "a parameter is given twice",
            }));
        }
        values[index] = Some(match value.strip_prefix('@') {
            Some(taken) => parse_taken(step, taken, own)?,
            None => parse_number(step, &read, index, value)?,
        });
    }
    read.arguments = with_defaults(step, &read, values)?;
    read.validate(step)?;
    Ok(read)
}

/// Reads what comes from an operand, behind the `@`: a name, and the steps of a branch.
fn parse_taken(step: usize, text: &str, own: &[Custom]) -> Result<Argument, Error> {
    let mut parts = outside(text, '|');
    let name = parts.next().unwrap_or_default().trim();
    let mut chain = Chain::new();
    for text in parts {
        chain.steps.extend(parse_steps(step, text, own)?);
    }
    Ok(Branch::new(name, chain).into())
}

/// Reads a parameter's value that is a number.
fn parse_number(step: usize, read: &Step, index: usize, value: &str) -> Result<Argument, Error> {
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
mod tests;
