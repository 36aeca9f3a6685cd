//! `nonlin list`.

use crate::layers::{Known, Tensor};
use crate::output::{show, show_json};
use crate::{Result, Verdict};
use nonlin::{Activation, Chain, Pass, Preset};
use serde_json::{Value, json};
use std::fmt::Write;

/// List the steps that chains are made of, the presets that stand for chains, and the layers
///
/// --json prints {"steps": [{"name", "kind", "aliases", "parameters": [{"name", "default"}],
/// "formula", "budget_ulp", "source"}], "presets": [{"name", "aliases", "parameters": [{"name",
/// "default"}], "chain"}], "layers": [{"name", "settings": [{"key", "takes",
/// "default"}], "parameters": [{"name", "shape", "when", "learned"}], "formula", "source"}]}. Of
/// steps, kind is the step's name, or row, or activation, a default of null means that the value must be given, and the
/// formula is in x and the parameters. Of layers, takes, shape and when are text for people; a
/// parameter whose when is null is always needed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn list(args: &Args) -> Result<Verdict> {
    if args.json {
        let steps: Vec<_> = plain()
            .chain(rows())
            .chain(Activation::ALL.iter().map(activation))
            .collect();
        let layers = Known::ALL.iter().map(layer).collect::<Result<Vec<_>>>()?;
        let presets: Vec<_> = Preset::ALL.iter().map(preset).collect();
        show_json(&json!({ "steps": steps, "presets": presets, "layers": layers }))?;
    } else {
        let mut text = String::new();
        for (name, parameters, formula) in PLAIN {
            let parameters = match parameters {
                [] => String::new(),
                names => format!("({})", names.join(", ")),
            };
            _ = writeln!(text, "{name}{parameters} = {formula}\n    rounded once");
        }
        for (name, parameters, formula) in ROWS {
            let parameters = match parameters {
                [] => String::new(),
                names => format!("({})", names.join(", ")),
            };
            let bounds = "over whole rows, along the last axis or --axis";
            _ = writeln!(text, "{name}{parameters} = {formula}\n    {bounds}");
        }
        for activation in Activation::ALL {
            _ = writeln!(text, "{activation} = {}", activation.formula());
            _ = write!(text, "    at most {} ULP", activation.budget());
            if let Some([value, derivative]) = activation.walked() {
                _ = write!(text, ", {value} and {derivative} over all inputs of f32");
            }
            text += "; ";
            if !activation.aliases().is_empty() {
                _ = write!(text, "also {}; ", activation.aliases().join(", "));
            }
            if from_y(activation) {
                text += "backward from x or y; ";
            }
            let learnable = activation.learnable();
            if !learnable.is_empty() {
                _ = write!(text, "learns {}; ", learnable.join(", "));
            }
            _ = writeln!(text, "{}", activation.source());
        }
        for preset in Preset::ALL {
            _ = writeln!(text, "{} = {}", preset_text(preset), preset.text());
            _ = match preset.aliases() {
                [] => writeln!(text, "    a preset"),
                aliases => writeln!(text, "    a preset; also {}", aliases.join(", ")),
            };
        }
        for known in &Known::ALL {
            text += &layer_text(known)?;
        }
        show(text)?;
    }
    Ok(Verdict::Fine)
}

/// Steps that are no activations: name, parameters, formula.
const PLAIN: [(&str, &[&str], &str); 8] = [
    ("scale", &["factor"], "factor * x"),
    ("bias", &["value"], "x + value"),
    ("gate", &["tensor"], "x * tensor, element by element"),
    ("residual", &["tensor"], "x + tensor, element by element"),
    ("dropout", &["p"], "0 with probability p, else x / (1 - p)"),
    (
        "rrelu",
        &["lower", "upper"],
        "x if x > 0 else slope * x, the slope drawn for each element from lower to upper",
    ),
    ("round(f16)", &[], "x rounded to f16"),
    ("round(bf16)", &[], "x rounded to bf16"),
];

/// Steps over whole rows, and the mask that stands before two of them.
const ROWS: [(&str, &[&str], &str); 6] = [
    (
        "causal",
        &["offset"],
        "x, but -inf in columns above the row's number + offset; softmax or log_softmax stands behind it",
    ),
    (
        "softmax",
        &["sink"],
        "e^(x - m) / (the row's sum of e^(x - m), and e^(sink - m)); m is the row's largest",
    ),
    (
        "log_softmax",
        &[],
        "x - m less the logarithm of the row's sum of e^(x - m)",
    ),
    (
        "hardmax",
        &[],
        "1 where the row is largest, the first place if there are several; 0 elsewhere",
    ),
    (
        "rms_norm",
        &["eps"],
        "x over the root of the row's mean of x^2, + eps; weight=@w is a scale behind it",
    ),
    (
        "layer_norm",
        &["eps"],
        "x less the row's mean, over the root of the row's variance + eps; weight and bias are steps behind it",
    ),
];

fn rows() -> impl Iterator<Item = Value> {
    ROWS.into_iter().map(|(name, parameters, formula)| {
        let described = parameters
            .iter()
            .map(|name| json!({ "name": name, "default": null }));
        json!({
            "name": name,
            "kind": "row",
            "aliases": [],
            "parameters": described.collect::<Vec<_>>(),
            "formula": formula,
            "budget_ulp": null,
            "source": null,
            "backward_from_y": name == "softmax" || name == "log_softmax",
            "learnable": if name == "softmax" { parameters } else { &[] },
        })
    })
}

fn plain() -> impl Iterator<Item = Value> {
    PLAIN.into_iter().map(|(name, parameters, formula)| {
        let random = ["dropout", "rrelu"].contains(&name);
        let described = parameters
            .iter()
            .map(|name| json!({ "name": name, "default": null }));
        json!({
            "name": name,
            "kind": name,
            "aliases": [],
            "parameters": described.collect::<Vec<_>>(),
            "formula": formula,
            "budget_ulp": 0.5,
            "source": null,
            "backward_from_y": name == "scale" || name == "bias",
            "learnable": if random { &[] } else { parameters },
        })
    })
}

/// A preset's name and parameters.
/// A preset's name and parameters.
pub(crate) fn preset_text(preset: &Preset) -> String {
    let parameters = preset.parameters().iter();
    let parameters = parameters.map(|(name, default)| match default {
        Some(default) => format!("{name}={default}"),
        None => (*name).to_owned(),
    });
    let parameters: Vec<_> = parameters.collect();
    match parameters.is_empty() {
        true => preset.name().to_owned(),
        false => format!("{}({})", preset.name(), parameters.join(", ")),
    }
}

fn preset(preset: &Preset) -> Value {
    let parameters = preset.parameters().iter();
    let parameters = parameters.map(|(name, default)| json!({ "name": name, "default": default }));
    json!({
        "name": preset.name(),
        "aliases": preset.aliases(),
        "parameters": parameters.collect::<Vec<_>>(),
        "chain": preset.text(),
    })
}

/// Whether backward can keep y in the place of x, with the default parameters.
fn from_y(activation: &Activation) -> bool {
    Chain::from(*activation)
        .supports(Pass::BackwardFromY)
        .is_ok()
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
        "walked_ulp": activation.walked(),
        "second_budget_ulp": activation.second_budget(),
        "source": activation.source(),
        "backward_from_y": from_y(activation),
        "learnable": activation.learnable(),
    })
}

fn layer(known: &Known) -> Result<Value> {
    let settings = known.settings()?.into_iter().map(
        |setting| json!({ "key": setting.name, "takes": setting.needs, "default": setting.value }),
    );
    let parameters = known.parameters().map(|tensor| {
        json!({
            "name": tensor.name,
            "shape": tensor.shape,
            "when": Some(tensor.when).filter(|when| !when.is_empty()),
            "learned": tensor.learned(),
        })
    });
    Ok(json!({
        "name": known.name,
        "settings": settings.collect::<Vec<_>>(),
        "parameters": parameters.collect::<Vec<_>>(),
        "formula": known.formula,
        "source": known.source,
    }))
}

fn layer_text(known: &Known) -> Result<String> {
    let settings: Vec<_> = known
        .settings()?
        .iter()
        .map(|setting| format!("{}={}", setting.name, setting.value))
        .collect();
    let mut text = format!(
        "layer {} = {}\n    settings {}\n    parameters ",
        known.name,
        known.formula,
        settings.join(", ")
    );
    let mut parameters = known.parameters().peekable();
    while let Some(tensor) = parameters.next() {
        text += tensor.name;
        // What names have in common is said once, behind them.
        let same = |next: &&Tensor| (next.shape, next.when) == (tensor.shape, tensor.when);
        if parameters.peek().is_some_and(same) {
            text += ", ";
            continue;
        }
        _ = write!(text, " {}", tensor.shape);
        if !tensor.when.is_empty() {
            _ = write!(text, " with {}", tensor.when);
        }
        text += if parameters.peek().is_some() {
            "; "
        } else {
            "\n    "
        };
    }
    Ok(text + known.source + "\n")
}

/// The decimal number that was meant: 0.01, not the 0.009999999776482582 that f32 makes of it.
fn decimal(value: f32) -> Value {
    value
        .to_string()
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}
