//! Steps over whole rows as text: the axis, and norms with weight and bias, which are steps behind them.

use super::{Given, parse_step};
use crate::chain::custom::Custom;
use crate::chain::row::Row;
use crate::chain::step::{Argument, Function, Step};
use crate::error::{ChainError, Error};
use std::fmt;

/// Other names, as they are found in programs.
const NAMES: [(&str, Row); 6] = [
    ("Softmax", Row::Softmax),
    ("Softmax2d", Row::Softmax),
    ("LogSoftmax", Row::LogSoftmax),
    ("Hardmax", Row::Hardmax),
    ("RMSNorm", Row::RmsNorm),
    ("LayerNorm", Row::LayerNorm),
];

/// The step over whole rows that a name, or another name, stands for.
pub(super) fn row_by_name(name: &str) -> Option<(&str, Row)> {
    let mut others = NAMES.iter();
    let other = others.find(|(known, _)| *known == name);
    let own = || {
        let mut all = Row::ALL.into_iter();
        all.find(|row| Function::Row(*row).name() == name)
    };
    let row = other.map(|(_, row)| *row).or_else(own)?;
    Some((name, row))
}

/// Reads a step over whole rows, and of a norm the steps that its weight and bias are.
pub(super) fn parse_row<'a>(
    step: usize,
    text: &str,
    (name, row): (&str, Row),
    mut given: Given<'a>,
    own: &[Custom],
) -> Result<Vec<Step>, Error> {
    let mut take = |names: &[&str]| -> Option<&'a str> {
        let is_it = |(name, _): &(Option<&str>, &str)| name.is_some_and(|n| names.contains(&n));
        let at = given.iter().position(is_it)?;
        Some(given.remove(at).1)
    };
    let axis = take(&["axis", "dim"]).map(|value| {
        value.parse::<i64>().map_err(|_| {
            Error::Chain(ChainError::BadArgument {
                step,
                name: name.to_owned(),
                parameter: "axis".into(),
                needs: "a whole number",
                value: value.to_owned(),
            })
        })
    });
    let is_norm = matches!(row, Row::RmsNorm | Row::LayerNorm);
    let mut behind = Vec::new();
    for (parameter, function) in [("weight", "scale"), ("bias", "bias")] {
        if let Some(value) = is_norm.then(|| take(&[parameter])).flatten() {
            behind.push(parse_step(step, text, function, &vec![(None, value)], own)?);
        }
    }
    let function = Function::Row(row);
    let mut read = parse_step(step, text, function.name(), &given, own)?;
    read.axis = axis.transpose()?;
    if name == "Softmax2d" {
        // Of N x C x H x W, and of C x H x W, as PyTorch has it.
        read.axis = Some(-3);
    }
    let mut steps = vec![read];
    steps.append(&mut behind);
    Ok(steps)
}

impl Step {
    /// Without a sink that there is none of.
    pub(super) fn fmt_row(&self, row: Row, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.parameters().into_iter().zip(&self.arguments);
        let none = Argument::Constant(f32::NEG_INFINITY);
        let told = pairs.filter(|(_, value)| row != Row::Softmax || **value != none);
        let told = told.map(|(parameter, value)| format!("{parameter}={value}"));
        let axis = self.axis.map(|axis| format!("axis={axis}"));
        let all: Vec<_> = told.chain(axis).collect();
        match all.as_slice() {
            [] => Ok(()),
            all => write!(f, "({})", all.join(", ")),
        }
    }
}
