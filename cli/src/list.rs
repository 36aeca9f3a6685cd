//! `nonlin list`.

use crate::output::{show, show_json};
use crate::{Result, Verdict};
use nonlin::Activation;
use serde_json::{Value, json};
use std::fmt::Write;

/// List the steps that chains are made of: activations, and scale
///
/// --json prints {"steps": [{"name", "kind", "aliases", "parameters": [{"name", "default"}],
/// "formula", "budget_ulp", "source"}]}; kind is scale or activation, a default of null means that
/// the value must be given, and the formula is in x and the parameters.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn list(args: &Args) -> Result<Verdict> {
    if args.json {
        let steps: Vec<_> = std::iter::once(scale())
            .chain(Activation::ALL.iter().map(activation))
            .collect();
        show_json(&json!({ "steps": steps }))?;
    } else {
        let mut text = String::from("scale(factor) = factor * x\n    rounded once\n");
        for activation in Activation::ALL {
            _ = writeln!(text, "{activation} = {}", activation.formula());
            _ = write!(text, "    at most {} ULP; ", activation.budget());
            if !activation.aliases().is_empty() {
                _ = write!(text, "also {}; ", activation.aliases().join(", "));
            }
            _ = writeln!(text, "{}", activation.source());
        }
        show(text)?;
    }
    Ok(Verdict::Fine)
}

fn scale() -> Value {
    json!({
        "name": "scale",
        "kind": "scale",
        "aliases": [],
        "parameters": [{ "name": "factor", "default": null }],
        "formula": "factor * x",
        "budget_ulp": 0.5,
        "source": null,
    })
}

fn activation(activation: &Activation) -> Value {
    let parameters = activation.parameters().iter().zip(activation.values());
    let parameters =
        parameters.map(|(name, value)| json!({ "name": name, "default": decimal(value) }));
    json!({
        "name": activation.name(),
        "kind": "activation",
        "aliases": activation.aliases(),
        "parameters": parameters.collect::<Vec<_>>(),
        "formula": activation.formula(),
        "budget_ulp": activation.budget(),
        "source": activation.source(),
    })
}

/// The decimal number that was meant: 0.01, not the 0.009999999776482582 that f32 makes of it.
fn decimal(value: f32) -> Value {
    value
        .to_string()
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}
