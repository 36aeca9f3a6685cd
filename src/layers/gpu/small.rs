//! Kernels over what is small: a sample's means, and what two layers make of them.

use super::super::BatchNorm;
use super::text::{Buffer, Program, WIDE, main, sum};
use std::fmt::Write;

/// Multiplications up to which all phases are one dispatch of one workgroup.
const ALONE: u64 = 1 << 20;

/// Work without an order: statements, each for every `i` below its count.
#[derive(Default)]
pub(super) struct Phase {
    loops: Vec<(u64, String)>,
}

impl Phase {
    pub(super) fn of(count: u64, body: String) -> Phase {
        Phase {
            loops: vec![(count, body)],
        }
    }

    pub(super) fn each(&mut self, count: u64, body: String) {
        self.loops.push((count, body));
    }
}

/// The phases one behind the other: in one workgroup with barriers between, where there is little to do, else
/// as a dispatch each.
pub(super) fn phases(
    program: &mut Program,
    label: &str,
    work: u64,
    uses: &[&str],
    buffers: &[(Buffer, bool)],
    phases: &[Phase],
) {
    let largest = |phase: &Phase| {
        phase
            .loops
            .iter()
            .map(|(count, _)| *count)
            .max()
            .unwrap_or(1)
    };
    if work <= ALONE {
        let mut text = main(WIDE);
        for (index, phase) in phases.iter().enumerate() {
            if index > 0 {
                text.push_str("    storageBarrier();\n    workgroupBarrier();\n");
            }
            write_phase(program, &mut text, phase, index, WIDE);
        }
        // The only group has nothing to ask of its number.
        text.push_str("    _ = group;\n}\n");
        program.stage(label, 1, uses, buffers, &text);
        return;
    }
    for (index, phase) in phases.iter().enumerate() {
        let groups = largest(phase).div_ceil(WIDE);
        let mut text = main(WIDE);
        write_phase(program, &mut text, phase, index, groups * WIDE);
        text.push_str("}\n");
        program.stage(
            &format!("{label} {}", index + 1),
            groups,
            uses,
            buffers,
            &text,
        );
    }
}

fn write_phase(program: &mut Program, text: &mut String, phase: &Phase, index: usize, step: u64) {
    for (at, (count, body)) in phase.loops.iter().enumerate() {
        let name = format!("count{}_{index}_{at}", program.stages.len());
        program.number(&name, *count);
        if step == WIDE {
            _ = writeln!(
                text,
                "    for (var i = lane; i < u.{name}; i += {WIDE}u) {{\n{body}    }}"
            );
        } else {
            _ = writeln!(
                text,
                "    if group * {WIDE}u + lane < u.{name} {{\n        let i = group * {WIDE}u + lane;\n{body}    }}"
            );
        }
    }
}

/// The phases of a batch norm of `plain{mark}` over samples; `put` takes its value `v` of element `i`.
pub(super) fn norm_forward(
    norm: &BatchNorm,
    mark: &str,
    width: &str,
    count: u64,
    samples: u64,
    put: &str,
) -> Vec<Phase> {
    let mut body = String::new();
    if norm.training {
        let plain = format!("saved[u.plain{mark} + k * {width} + i]");
        body += &sum("total", "u.samples", &plain);
        body += "    let mean = total / f32(u.samples);\n";
        let square = format!("({plain} - mean) * ({plain} - mean)");
        body += &sum("squares", "u.samples", &square);
        _ = write!(
            body,
            "    let variance = squares / f32(u.samples);
    let old_mean = parameters[u.running_mean{mark} + i];
    let old_var = parameters[u.running_var{mark} + i];
    parameters[u.running_mean{mark} + i] = old_mean + u.momentum * (mean - old_mean);
    parameters[u.running_var{mark} + i] = old_var + u.momentum * (squares / f32(u.samples - 1u) - old_var);
"
        );
    } else {
        _ = write!(
            body,
            "    let mean = parameters[u.running_mean{mark} + i];
    let variance = parameters[u.running_var{mark} + i];
"
        );
    }
    _ = write!(
        body,
        "    saved[u.mean{mark} + i] = mean;
    saved[u.inverse{mark} + i] = 1.0 / sqrt(variance + u.eps);
"
    );
    let apply = format!(
        "    let c = i % {width};
    let hat = (saved[u.plain{mark} + i] - saved[u.mean{mark} + c]) * saved[u.inverse{mark} + c];
    let v = parameters[u.bn{mark}_weight + c] * hat + parameters[u.bn{mark}_bias + c];
    {put}"
    );
    vec![Phase::of(count, body), Phase::of(samples * count, apply)]
}

/// The phases of its backward pass, from scratch region `from` to `dplain{mark}`.
pub(super) fn norm_backward(
    norm: &BatchNorm,
    mark: &str,
    width: &str,
    count: u64,
    samples: u64,
    from: &str,
) -> Vec<Phase> {
    let hat = |at: &str, c: &str| {
        format!(
            "(saved[u.plain{mark} + {at}] - saved[u.mean{mark} + {c}]) * saved[u.inverse{mark} + {c}]"
        )
    };
    let d = format!("scratch[u.{from} + k * {width} + i]");
    let sums = sum("plain", "u.samples", &d)
        + &sum(
            "scaled",
            "u.samples",
            &format!("{d} * ({})", hat(&format!("k * {width} + i"), "i")),
        )
        + &format!(
            "    gradients[u.d_bn{mark}_bias + i] = plain;\n    gradients[u.d_bn{mark}_weight + i] = scaled;\n"
        );
    let through = if norm.training {
        format!(
            "let all = gradients[u.d_bn{mark}_bias + c] + hat * gradients[u.d_bn{mark}_weight + c];
    d -= all / f32(u.samples);"
        )
    } else {
        String::new()
    };
    let apply = format!(
        "    let c = i % {width};
    let hat = {};
    var d = scratch[u.{from} + i];
    {through}
    scratch[u.dplain{mark} + i] = d * parameters[u.bn{mark}_weight + c] * saved[u.inverse{mark} + c];
",
        hat("i", "c")
    );
    vec![Phase::of(count, sums), Phase::of(samples * count, apply)]
}
