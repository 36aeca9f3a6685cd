//! What there is, and what was found, as objects.

use nonlin::check::{LayerReport, Report};
use nonlin::layers::Layer;
use nonlin::{Activation, Chain, Pass, Preset};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameter {
    name: String,
    default: Option<f32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: &'static str,
    aliases: &'static [&'static str],
    parameters: Vec<Parameter>,
    learnable: Vec<&'static str>,
    formula: &'static str,
    source: &'static str,
    budget_ulp: f64,
    backward_from_y: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedPreset {
    name: &'static str,
    aliases: &'static [&'static str],
    chain: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List {
    activations: Vec<Listed>,
    presets: Vec<ListedPreset>,
    layers: Vec<String>,
}

pub(crate) fn list() -> List {
    let activations = Activation::ALL.iter().map(|activation| {
        let chain = Chain::from(*activation);
        let parameters = activation.parameters().iter().zip(activation.values());
        Listed {
            name: activation.name(),
            aliases: activation.aliases(),
            parameters: parameters
                .map(|(name, value)| Parameter {
                    name: (*name).to_owned(),
                    default: Some(value),
                })
                .collect(),
            learnable: activation.learnable(),
            formula: activation.formula(),
            source: activation.source(),
            budget_ulp: activation.budget(),
            backward_from_y: chain.supports(Pass::BackwardFromY).is_ok(),
        }
    });
    let presets = Preset::ALL.iter().map(|preset| ListedPreset {
        name: preset.name(),
        aliases: preset.aliases(),
        chain: preset.text(),
    });
    let layers = ["frelu", "meta_acon", "dyrelu_a", "dyrelu_b", "dyrelu_c"];
    List {
        activations: activations.collect(),
        presets: presets.collect(),
        layers: layers
            .iter()
            .filter_map(|name| Layer::by_name(name))
            .map(|layer| layer.to_string())
            .collect(),
    }
}

/// A chain, as it was understood.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parsed {
    text: String,
    operands: Vec<String>,
    learnable: Vec<String>,
    values: Vec<f32>,
    passes: Vec<String>,
    is_random: bool,
    is_of_rows: bool,
}

pub(crate) fn chain(chain: &Chain) -> Parsed {
    let passes = Pass::ALL
        .iter()
        .filter(|pass| chain.supports(**pass).is_ok());
    let owned = |names: Vec<&str>| names.into_iter().map(String::from).collect();
    Parsed {
        text: chain.to_string(),
        operands: owned(chain.operands()),
        learnable: owned(chain.learnable()),
        values: chain.values(),
        passes: passes
            .map(|pass| pass.to_string().replace(' ', "-"))
            .collect(),
        is_random: chain.is_random(),
        is_of_rows: chain.row().is_some(),
    }
}

#[derive(Serialize)]
struct Worst {
    index: usize,
    x: f32,
    got: f32,
    want: f64,
    ulp: f64,
    allowed: f64,
}

/// What a comparison found of one tensor.
#[derive(Serialize)]
pub(crate) struct Compared {
    tensor: String,
    compared: usize,
    failed: usize,
    misrounded: Option<usize>,
    passed: bool,
    worst: Option<Worst>,
}

impl Compared {
    pub(crate) fn new(tensor: &str, report: &Report) -> Self {
        Compared {
            tensor: tensor.to_owned(),
            compared: report.compared,
            failed: report.failed,
            misrounded: report.misrounded,
            passed: report.compared > 0 && report.passes(),
            worst: report.worst.as_ref().map(|worst| Worst {
                index: worst.index,
                x: worst.x,
                got: worst.got,
                want: worst.want,
                ulp: worst.ulp,
                allowed: worst.allowed,
            }),
        }
    }
}

#[derive(Serialize)]
struct LayerWorst {
    index: usize,
    got: f64,
    want: f64,
    off: f64,
}

/// What a comparison found of one tensor of a layer.
#[derive(Serialize)]
pub(crate) struct LayerCompared {
    tensor: String,
    compared: usize,
    failed: usize,
    passed: bool,
    blunt: bool,
    allowed: f64,
    magnitude: f64,
    worst: Option<LayerWorst>,
}

impl LayerCompared {
    pub(crate) fn new(report: &LayerReport) -> Self {
        LayerCompared {
            tensor: report.name.clone(),
            compared: report.compared,
            failed: report.failed,
            passed: report.passes(),
            blunt: report.blunt,
            allowed: report.allowed,
            magnitude: report.magnitude,
            worst: report.worst.as_ref().map(|worst| LayerWorst {
                index: worst.index,
                got: worst.got,
                want: worst.want,
                off: worst.off,
            }),
        }
    }
}
