//! Kernels over what is small: a sample's means, and what small layers make of them.

use super::super::BatchNorm;
use super::program::Program;
use crate::wgsl::{Text, WORKGROUP, in_one_dispatch, in_one_workgroup};

/// Multiplications up to which all phases are one dispatch of one workgroup.
const ALONE: u64 = 1 << 20;

/// Work without an order: steps by the names of their functions, `NAME_step(i)`, each for every `i` below its count.
#[derive(Default)]
pub(super) struct Phase {
    steps: Vec<(String, u64)>,
}

impl Phase {
    pub(super) fn of(step: &str, count: u64) -> Phase {
        Phase::default().and(step, count)
    }

    pub(super) fn and(mut self, step: &str, count: u64) -> Phase {
        self.steps.push((step.to_owned(), count));
        self
    }

    fn names(&self) -> Vec<&str> {
        self.steps.iter().map(|(step, _)| step.as_str()).collect()
    }
}

/// The phases one behind the other, of the functions in `text`: in one workgroup with barriers between, where there is
/// little to do, else as a dispatch each.
pub(super) fn phases(program: &mut Program, label: &str, work: u64, text: &Text, phases: &[Phase]) {
    for (step, count) in phases.iter().flat_map(|phase| &phase.steps) {
        program.number(&format!("{step}_count"), *count);
    }
    if work <= ALONE {
        let mut text = text.clone();
        let phases: Vec<_> = phases.iter().map(Phase::names).collect();
        text.known("main", &in_one_workgroup(&phases));
        program.dispatch(label, 1, &text);
        return;
    }
    for (index, phase) in phases.iter().enumerate() {
        let counts = phase.steps.iter().map(|(_, count)| *count);
        let groups = counts.max().unwrap_or(1).div_ceil(WORKGROUP);
        let mut text = text.clone();
        text.known("main", &in_one_dispatch(phase.names()));
        program.dispatch(&format!("{label} {}", index + 1), groups, &text);
    }
}

/// What a step makes is kept as it is: `NAME_put` of this name, to a region of a buffer.
pub(super) fn keep(text: &mut Text, name: &str, buffer: &str, region: &str) {
    let names = [("it", name), ("buffer", buffer), ("region", region)];
    text.file_as("layers/small/keep.wgsl", &names);
}

/// A dense layer and its lengths, by their names and as they are.
pub(super) struct Dense<'a> {
    pub(super) name: &'a str,
    /// The saved region of its inputs.
    pub(super) given: &'a str,
    pub(super) inputs: (&'a str, u64),
    pub(super) outputs: (&'a str, u64),
}

impl Dense<'_> {
    /// Adds its step.
    pub(super) fn forward(&self, text: &mut Text, samples: u64) -> Phase {
        let names = [
            ("it", self.name),
            ("given", self.given),
            ("inputs", self.inputs.0),
            ("outputs", self.outputs.0),
        ];
        text.file_as("layers/small/dense.wgsl", &names);
        Phase::of(self.name, samples * self.outputs.1)
    }

    /// Adds its backward pass, from the gradients of its outputs in a scratch region. Behind it may stand a norm that
    /// trains, which no bias moves.
    pub(super) fn backward(
        &self,
        text: &mut Text,
        samples: u64,
        dvalues: &str,
        is_normed: bool,
    ) -> Phase {
        let [weight, bias, inputs] =
            ["weight", "bias", "inputs"].map(|part| format!("{}_{part}", self.name));
        let (d_weight, d_bias) = (format!("d_{weight}"), format!("d_{bias}"));
        let names = [
            ("it", self.name),
            ("dvalues", dvalues),
            ("given", self.given),
            ("inputs", self.inputs.0),
            ("outputs", self.outputs.0),
            ("gradient_of_weight", &d_weight),
            ("gradient_of_bias", &d_bias),
        ];
        text.file_as("layers/small/dense_backward.wgsl", &names);
        if is_normed {
            text.file_as("layers/small/zero.wgsl", &[("it", &d_bias)]);
        }
        let bias = if is_normed { &d_bias } else { &bias };
        Phase::of(&weight, self.inputs.1 * self.outputs.1)
            .and(bias, self.outputs.1)
            .and(&inputs, samples * self.inputs.1)
    }
}

/// A batch norm, `bn1` or `bn2`, and how many values it has, by name and as it is.
pub(super) struct Norm<'a> {
    pub(super) norm: &'a BatchNorm,
    /// "1" or "2".
    pub(super) mark: &'a str,
    pub(super) width: (&'a str, u64),
}

impl Norm<'_> {
    /// Adds its steps, from the saved region `bn1_plain`.
    pub(super) fn forward(&self, text: &mut Text, samples: u64) -> [Phase; 2] {
        let name = format!("bn{}", self.mark);
        let [mean, var] = ["mean", "var"].map(|what| format!("running_{what}{}", self.mark));
        let names = [
            ("it", name.as_str()),
            ("width", self.width.0),
            ("running_mean", &mean),
            ("running_var", &var),
        ];
        let statistics = if self.norm.training {
            "layers/small/norm_training.wgsl"
        } else {
            "layers/small/norm_evaluation.wgsl"
        };
        text.file_as(statistics, &names);
        text.file_as("layers/small/norm.wgsl", &names);
        [
            Phase::of(&format!("{name}_statistics"), self.width.1),
            Phase::of(&name, samples * self.width.1),
        ]
    }

    /// Adds the steps of its backward pass, from a scratch region to `bn1_dplain`.
    pub(super) fn backward(&self, text: &mut Text, samples: u64, dvalues: &str) -> [Phase; 2] {
        let name = format!("bn{}", self.mark);
        let [weight, bias] = ["weight", "bias"].map(|part| format!("d_{name}_{part}"));
        let names = [
            ("it", name.as_str()),
            ("width", self.width.0),
            ("dvalues", dvalues),
            ("gradient_of_weight", &weight),
            ("gradient_of_bias", &bias),
        ];
        text.file_as("layers/small/norm_backward.wgsl", &names);
        let which = if self.norm.training {
            "training"
        } else {
            "trained"
        };
        [
            Phase::of(&format!("{name}_sums"), self.width.1),
            Phase::of(&format!("{name}_{which}"), samples * self.width.1),
        ]
    }
}
