//! Kernels over what is small: a sample's means, and what small layers make of them.

use super::super::BatchNorm;
use super::text::{Program, WIDE};
use crate::wgsl::Text;
use std::fmt::Write;

/// Multiplications up to which all phases are one dispatch of one workgroup.
const ALONE: u64 = 1 << 20;

/// Work without an order: steps by the names of their functions, `NAME_step(i)`, each for every `i` below its count.
pub(super) struct Phase {
    steps: Vec<(String, u64)>,
}

impl Phase {
    pub(super) fn of(step: &str, count: u64) -> Phase {
        Phase { steps: Vec::new() }.and(step, count)
    }

    pub(super) fn and(mut self, step: &str, count: u64) -> Phase {
        self.steps.push((step.to_owned(), count));
        self
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
        text.known("main", &alone(phases));
        program.dispatch(label, 1, &text);
        return;
    }
    for (index, phase) in phases.iter().enumerate() {
        let counts = phase.steps.iter().map(|(_, count)| *count);
        let groups = counts.max().unwrap_or(1).div_ceil(WIDE);
        let mut text = text.clone();
        text.known("main", &apart(phase));
        program.dispatch(&format!("{label} {}", index + 1), groups, &text);
    }
}

/// The entry point of one workgroup that does all phases.
fn alone(phases: &[Phase]) -> String {
    let mut text = counts(phases);
    _ = writeln!(
        text,
        "@compute @workgroup_size({WIDE})\nfn main(@builtin(local_invocation_index) lane: u32) {{"
    );
    for (index, phase) in phases.iter().enumerate() {
        if index > 0 {
            text.push_str("    storageBarrier();\n    workgroupBarrier();\n");
        }
        for (step, _) in &phase.steps {
            _ = writeln!(
                text,
                "    for (var i = lane; i < args.{step}_count; i += {WIDE}u) {{\n        {step}_step(i);\n    }}"
            );
        }
    }
    text + "}\n"
}

/// The entry point of as many workgroups as one phase needs.
fn apart(phase: &Phase) -> String {
    let mut text = counts(std::slice::from_ref(phase));
    _ = writeln!(
        text,
        "@compute @workgroup_size({WIDE})
fn main(
    @builtin(workgroup_id) at: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {{
    let i = (at.y * args.row + at.x) * {WIDE}u + lane;"
    );
    for (step, _) in &phase.steps {
        _ = writeln!(
            text,
            "    if i < args.{step}_count {{\n        {step}_step(i);\n    }}"
        );
    }
    text + "}\n"
}

/// The numbers that these entry points use.
fn counts(phases: &[Phase]) -> String {
    let steps = phases.iter().flat_map(|phase| &phase.steps);
    let fields: String = steps
        .map(|(step, _)| format!(", {step}_count: u32"))
        .collect();
    format!("struct Args {{ row: u32{fields} }} //#args\n")
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
