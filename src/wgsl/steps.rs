//! Entry points over steps: functions `NAME_step(i)`, each for every `i` below `args.NAME_count`. A phase is a list of
//! steps in any order.

use std::fmt::Write;

/// Invocations in a workgroup.
pub(crate) const WORKGROUP: u64 = 256;

/// The entry point of one workgroup that does all phases, with barriers between them.
pub(crate) fn in_one_workgroup(phases: &[Vec<&str>]) -> String {
    let mut text = counts(phases);
    _ = writeln!(
        text,
        "@compute @workgroup_size({WORKGROUP})\nfn main(@builtin(local_invocation_index) lane: u32) {{"
    );
    for (index, phase) in phases.iter().enumerate() {
        if index > 0 {
            text.push_str("    storageBarrier();\n    workgroupBarrier();\n");
        }
        for step in phase {
            _ = writeln!(
                text,
                "    for (var i = lane; i < args.{step}_count; i += {WORKGROUP}u) {{\n        {step}_step(i);\n    }}"
            );
        }
    }
    text + "}\n"
}

/// The entry point of one phase, of as many workgroups as it takes.
pub(crate) fn in_one_dispatch(phase: Vec<&str>) -> String {
    let mut text = counts(std::slice::from_ref(&phase));
    _ = writeln!(
        text,
        "@compute @workgroup_size({WORKGROUP})
fn main(
    @builtin(workgroup_id) at: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {{
    let i = (at.y * args.row + at.x) * {WORKGROUP}u + lane;"
    );
    for step in phase {
        _ = writeln!(
            text,
            "    if i < args.{step}_count {{\n        {step}_step(i);\n    }}"
        );
    }
    text + "}\n"
}

/// The numbers that an entry point uses.
fn counts(phases: &[Vec<&str>]) -> String {
    let steps = phases.iter().flatten();
    let fields: String = steps.map(|step| format!(", {step}_count: u32")).collect();
    format!("struct Args {{ row: u32{fields} }} //#args\n")
}
