//! Stubs in shader files stand for what is written there: a file that was accepted with a stub is accepted in a kernel too.

use super::*;
use crate::wgsl::files::renamed;

/// Every kernel of the sweeps that there are, with and without sums, wide and not; and what finishes.
fn sweeps() -> Vec<String> {
    let chain: Chain = "prelu(weight=@w)".parse().unwrap();
    let body = Body::Chain(&chain, Pass::Backward);
    let mut all = vec![finish(&[DType::F32, DType::F16])];
    for access in [Access::Vec4, Access::Scalar] {
        for sweep in [Sweep::Each, Sweep::Rows, Sweep::Columns(8)] {
            let mut form = Form {
                access,
                sweep,
                ..Form::plain(body, DType::F32.into())
            };
            if sweep != Sweep::Each {
                form.inputs[2].at = At::Held;
            }
            all.push(kernel(body, &form));
            form.sums = vec!["w".into()];
            if sweep != Sweep::Each {
                all.push(kernel(body, &form));
            }
        }
    }
    all
}

/// What stands in for Rust's part in the files of shaders/sweep is declared as Rust writes it.
#[test]
fn stubs_of_sweeps_are_what_rust_writes() {
    let chain = Chain::from(Activation::Silu);
    let body = Body::Chain(&chain, Pass::Forward);
    let settled = kernel(body, &Form::plain(body, DType::F16.into()));
    stubs_are_written("sweep/", &[sweeps(), vec![settled]].concat());
}

/// What stands in for operands in the files of shaders/slots is declared as Rust, or another file, writes it.
#[test]
fn stubs_of_slots_are_what_rust_writes() {
    use At::*;
    let silu = Chain::from(Activation::Silu);
    let learned: Chain = "prelu(weight=@w) | bias(@b) | dropout(0.5)"
        .parse()
        .unwrap();
    let gated: Chain = "silu | gate(@g | tanh)".parse().unwrap();
    let mut forms = alternating(&gated);
    let body = Body::Chain(&silu, Pass::Forward);
    let narrow = Form::plain(body, DType::F16.into());
    for at in [Each, Rows] {
        for access in [Access::Vec4, Access::Scalar] {
            let mut form = Form {
                access,
                ..narrow.clone()
            };
            form.inputs[0].at = at;
            form.outputs[0].at = if at == Rows { Ragged } else { at };
            forms.push((body, form));
        }
    }
    let body = Body::Chain(&learned, Pass::Backward);
    for at in [Rows, Shared, Channel, Edge, Channels, ChannelWords, Held] {
        let mut all = learned_forms(body, &["w", "b"], Access::Vec4, at);
        all.extend(
            learned_forms(body, &["w", "b"], Access::Vec4, at)
                .into_iter()
                .map(|mut form| {
                    form.inputs[2].has_periods = true;
                    form
                }),
        );
        forms.extend(all.into_iter().map(|form| (body, form)));
    }
    let softmax: Chain = "softmax".parse().unwrap();
    let body = Body::Chain(&softmax, Pass::Forward);
    let mut lanes = Form {
        access: Access::Scalar,
        ..Form::plain(body, DType::F16.into())
    };
    lanes.outputs[0].in_place = Some(0);
    forms.push((body, lanes));
    let kernels: Vec<_> = forms
        .iter()
        .map(|(body, form)| kernel(*body, form))
        .collect();
    let names = ["x", "dy", "y", "dx", "arg_w", "arg_b", "d_g"];
    stubs_are_written_as("slots/", &kernels, &names);
}

/// What stubs in a folder's files stand for is in some of these kernels. Names that Rust gives are not known here.
pub(crate) fn stubs_are_written(folder: &str, kernels: &[String]) {
    stubs_are_written_as(folder, kernels, &[]);
}

/// The same, with each of these names in the place of `it`, `memory` and `other`: one must do.
fn stubs_are_written_as(folder: &str, kernels: &[String], names: &[&str]) {
    let files = super::listed::FILES.iter();
    let mut count = 0;
    for (name, _) in files.filter(|(name, _)| name.starts_with(folder)) {
        let path = format!("{}/shaders/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        for stub in text.lines().filter(|line| line.ends_with("//#stub")) {
            let is_named = stub.contains("it_") || stub.contains("struct It");
            if names.is_empty() && is_named {
                continue;
            }
            let stub = &stub.replace("override ", "const ");
            let named = names.iter().map(|name| as_named(stub, name));
            let found = named
                .chain([stub.clone()])
                .any(|stub| is_written(&stub, kernels));
            assert!(found, "{name}: nothing is written as {stub}");
            count += 1;
        }
    }
    assert!(count > 20, "{folder} has {count} stubs");
}

#[test]
fn stubs_of_nothing_are_found() {
    let kernels = ["struct Args {\n    len: u32,\n}\n\nfn at_x(i: u32) -> u32 {}".to_owned()];
    let of_x = |stub| is_written(&as_named(stub, "x"), &kernels);
    assert!(of_x("fn at_it(i: u32) -> u32 { return i; } //#stub"));
    assert!(!of_x("fn at_it(i: f32) -> u32 { return 0u; } //#stub"));
    assert!(!of_x("fn word_it(i: u32) -> u32 { return i; } //#stub"));
    assert!(of_x("struct Args { len: u32 } //#stub"));
    assert!(!of_x("struct Args { len: u32, it: u32 } //#stub"));
}

/// A stub of a slot's file, of an operand of this name.
fn as_named(stub: &str, name: &str) -> String {
    let at = format!("at_{name}");
    let names = [
        ("it", name),
        ("memory", name),
        ("other", name),
        ("at_other", &at),
    ];
    renamed(stub, &names)
}

/// Whether one of these kernels declares what a stub does: a function with its parameters, a struct with its fields.
fn is_written(stub: &str, kernels: &[String]) -> bool {
    let (head, inside) = stub.split_once('{').unwrap_or((stub, ""));
    if let Some(name) = head.strip_prefix("struct ") {
        let line = stub.trim_end_matches("//#stub").trim_end();
        if kernels.iter().any(|text| text.contains(line)) {
            return true;
        }
        // Rust writes more fields, which no file names.
        let start = format!("struct {} {{\n", name.trim());
        let fields = inside.split('}').next().unwrap_or_default().split(',');
        return fields
            .map(|field| format!("    {},", field.trim()))
            .all(|field| {
                let written = kernels.iter().filter_map(|text| text.split_once(&start));
                let mut bodies = written.filter_map(|(_, rest)| rest.split_once("}\n"));
                bodies.any(|(body, _)| body.contains(&field))
            });
    }
    let head = head.split(['=', ';']).next().unwrap_or_default().trim();
    let head = head.split("@binding(").last().unwrap_or_default();
    let head = head.split_once(") ").map_or(head, |(number, rest)| {
        let is_number = number.chars().all(|c| c.is_ascii_digit());
        if is_number { rest } else { head }
    });
    kernels.iter().any(|text| text.contains(head))
}
