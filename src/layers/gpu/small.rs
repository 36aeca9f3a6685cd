//! Kernels over what is small: a sample's means, and what two layers make of them.

use super::text::{Buffer, Program, WIDE, main};
use std::fmt::Write;

/// Multiplications up to which all phases are one dispatch of one workgroup.
const ALONE: u64 = 1 << 20;

/// Work without an order: statements, each for every `i` below its count.
#[derive(Default)]
pub(super) struct Phase {
    loops: Vec<(u64, String)>,
}

impl Phase {
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
