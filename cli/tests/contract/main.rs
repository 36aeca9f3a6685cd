//! What scripts rely on, as far as it needs no adapter: exit codes, messages, JSON, texts.

mod check;
#[path = "../common/mod.rs"]
mod common;
mod define;
mod layers;
mod npy;
mod onnx;
mod operands;
mod packed;
mod plot;
mod report;
mod rows;
mod shaders;
mod wgsl;

use common::{Ran, command, fields, nonlin};
use nonlin::Activation;
use std::process::Stdio;

/// A backend that this system does not have, so that no adapter is found.
const ABSENT: &str = if cfg!(target_os = "macos") {
    "dx12"
} else {
    "metal"
};

const NO_ADAPTER: &str = "no adapter that can run compute shaders. On Linux, Mesa's software \
                          Vulkan is one: package mesa-vulkan-drivers";

const LAYERS: [&str; 6] = [
    "frelu",
    "meta_acon",
    "dyrelu_a",
    "dyrelu_b",
    "dyrelu_c",
    "dynamic_relu",
];

fn without_adapter(args: &[&str]) -> Ran {
    command(args)
        .env("WGPU_BACKEND", ABSENT)
        .output()
        .expect("the command runs")
        .into()
}

/// `nonlin run` with the reference, in a folder.
fn run(folder: &std::path::Path, args: &[&str]) -> Ran {
    let mut command = command(&[&["run"], args, &["--cpu"]].concat());
    command.current_dir(folder).output().unwrap().into()
}

fn contents(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap());
    let mut all: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn wrong_usage_is_2() {
    for args in [
        &[][..],
        &["nothing"],
        &["run"],
        &["run", "silu", "--x", "x.npy"],
        &["run", "silu", "--x", "x.npy", "--dx", "dx.npy"],
        &[
            "run", "silu", "--x", "x.npy", "--y", "y.npy", "--dy", "dy.npy",
        ],
        &[
            "run", "silu", "--x", "x.npy", "--y", "y.npy", "--dtype", "f80",
        ],
        &[
            "run",
            "silu",
            "--x",
            "x.npy",
            "--y",
            "y.npy",
            "--cpu",
            "--adapter",
            "a",
        ],
        &["check", "--count", "0"],
        &["bench", "--len", "0"],
        &["bench", "--samples", "0"],
        &["bench", "silu", "--all"],
        &["bench", "--dtype", "f64"],
        &["check", "--dtype", "half"],
        &["wgsl"],
        &["wgsl", "silu", "--to", "asm"],
        &["plot"],
        &["plot", "silu"],
        &["plot", "--out", "silu.svg"],
        &["plot", "silu", "--gallery", "gallery"],
        &["plot", "--gallery", "gallery", "--out", "silu.svg"],
        &["report", "silu"],
        &["report", "--table"],
        &["report", "--table", "a.json", "--quick"],
        &["report", "--out", "-"],
        &["bench", "--clock", "sundial"],
        &["bench", "--buffer-sets", "0"],
        &["bench", "--buffer-sets", "9"],
    ] {
        let Ran {
            code,
            stdout,
            stderr,
        } = nonlin(args);
        assert_eq!(code, Some(2), "{args:?}");
        assert!(
            stdout.is_empty() && !stderr.is_empty(),
            "{args:?}: {stdout}{stderr}"
        );
    }
}

#[test]
fn help_is_fine_and_has_examples() {
    for command in [
        "", "adapters", "list", "run", "check", "bench", "report", "wgsl", "plot",
    ] {
        let args: Vec<_> = [command, "--help"]
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect();
        let help = nonlin(&args).fine();
        let wanted = if matches!(command, "adapters" | "list") {
            "--json"
        } else {
            "Examples:"
        };
        assert!(help.contains(wanted), "{help}");
        let longest = help.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{help}");
    }
    assert!(nonlin(&["--version"]).fine().starts_with("nonlin 0."));
}

#[test]
fn a_bad_chain_says_what_is_wrong() {
    let suggestion = r#"step 1: unknown activation "silux"; did you mean "silu"?"#;
    for args in [
        &["check", "silux"][..],
        &["bench", "silux"],
        &["wgsl", "silux"],
    ] {
        nonlin(args).refused(suggestion);
    }
    nonlin(&["run", "silux", "--x", "no.npy", "--y", "no.npy", "--cpu"]).refused(suggestion);
    nonlin(&["wgsl", "relu | scale"])
        .refused("step 2: scale needs a value for factor, as in scale(factor=2)");
    nonlin(&["wgsl", ""]).refused(
        "the chain is empty; it needs at least one step, such as \"silu\" or \"scale(2)\"",
    );
}

#[test]
fn list_names_everything() {
    let text = nonlin(&["list"]).fine();
    assert!(text.starts_with("scale(factor) = factor * x\n"), "{text}");
    for activation in Activation::ALL {
        let line = format!("\n{activation} = {}\n", activation.formula());
        assert!(text.contains(&line), "{line}");
    }
    for layer in LAYERS {
        assert!(text.contains(&format!("\nlayer {layer} = ")), "{layer}");
    }
    let norm = "; bn_weight, bn_bias, running_mean, running_var (C,) with norm=eval or train;";
    assert!(text.contains(norm), "{text}");
    assert!(
        text.contains(
            "\n    settings reduction=16, minimum=16, norm=none, eps=1e-5, momentum=0.1\n"
        ),
        "{text}"
    );
}

#[test]
fn list_as_json() {
    let document = nonlin(&["list", "--json"]).json();
    for preset in document["presets"].as_array().unwrap() {
        assert_eq!(fields(preset), ["name", "aliases", "parameters", "chain"]);
    }
    let steps = document["steps"].as_array().unwrap();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    let known = Activation::ALL.iter().map(Activation::name);
    let plain = [
        "scale",
        "bias",
        "gate",
        "residual",
        "dropout",
        "rrelu",
        "round(f16)",
        "round(bf16)",
        "causal",
        "softmax",
        "log_softmax",
        "hardmax",
        "rms_norm",
        "layer_norm",
    ];
    assert_eq!(names, plain.into_iter().chain(known).collect::<Vec<_>>());
    for step in steps {
        let mut known = vec!["name", "kind", "aliases", "parameters", "formula"];
        known.push("budget_ulp");
        if step["kind"] == "activation" {
            known.extend(["walked_ulp", "second_budget_ulp"]);
        }
        known.extend(["source", "backward_from_y", "learnable"]);
        assert_eq!(fields(step), known);
    }
    let scale = serde_json::json!([{ "name": "factor", "default": null }]);
    assert_eq!(
        (&steps[0]["kind"], &steps[0]["parameters"]),
        (&"scale".into(), &scale)
    );
    let leaky = steps
        .iter()
        .find(|step| step["name"] == "leaky_relu")
        .unwrap();
    assert_eq!(leaky["kind"], "activation");
    assert_eq!(leaky["parameters"][0]["name"], "negative_slope");
    assert_eq!(leaky["parameters"][0]["default"], 0.01);

    let layers = document["layers"].as_array().unwrap();
    let names: Vec<_> = layers.iter().map(|layer| &layer["name"]).collect();
    assert_eq!(names, LAYERS);
    for layer in layers {
        assert_eq!(
            fields(layer),
            ["name", "settings", "parameters", "formula", "source"]
        );
    }
    let kernel = serde_json::json!({
        "key": "kernel",
        "takes": "one odd length up to 7, such as 3, or height x width, such as 3x1",
        "default": "3",
    });
    assert_eq!(layers[0]["settings"][0], kernel);
    let statistic = serde_json::json!({
        "name": "running_mean",
        "shape": "(C,)",
        "when": "norm=eval or train",
        "learned": false,
    });
    assert_eq!(layers[0]["parameters"][4], statistic);
    assert!(layers[0]["parameters"][0]["when"].is_null());
}

#[test]
fn without_an_adapter() {
    without_adapter(&["adapters"]).refused(NO_ADAPTER);
    without_adapter(&["check", "relu"]).refused(NO_ADAPTER);
    without_adapter(&["bench"]).refused(NO_ADAPTER);
    let Ran {
        code,
        stdout,
        stderr,
    } = without_adapter(&["adapters", "--json"]);
    assert_eq!((code, stderr), (Some(2), format!("nonlin: {NO_ADAPTER}\n")));
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document, serde_json::json!({ "adapters": [] }));
}

#[test]
fn a_closed_pipe_is_the_readers_choice() {
    for args in [&["list"][..], &["list", "--json"], &["wgsl", "gelu"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(args);
        let child = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ran = Ran::from(command(&["list"]).stdout(full).output().unwrap());
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.starts_with("nonlin: cannot write to stdout: "),
        "{}",
        ran.stderr
    );
}

#[test]
fn shaders_in_every_language() {
    for (to, wanted) in [
        ("wgsl", "@compute @workgroup_size"),
        ("msl", "[[buffer(3)]]"),
        ("hlsl", "[numthreads(256, 1, 1)]"),
        ("glsl", "#version 310 es"),
    ] {
        let backward =
            nonlin(&["wgsl", "silu | scale(2)", "--pass", "backward", "--to", to]).fine();
        assert!(backward.contains(wanted), "{to}: {backward}");
        let forward = nonlin(&["wgsl", "silu | scale(2)", "--to", to]).fine();
        assert_ne!(forward, backward);
    }
    let chain: nonlin::Chain = "silu".parse().unwrap();
    assert_eq!(
        nonlin(&["wgsl", "silu"]).fine(),
        chain.wgsl(nonlin::Pass::Forward).unwrap()
    );
}

#[test]
fn spirv_goes_to_a_file_or_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silu.spv");
    let out = path.to_str().unwrap();
    nonlin(&["wgsl", "silu", "--to", "spirv", "--out", out]).fine();
    let words = std::fs::read(&path).unwrap();
    assert_eq!(
        (&words[..4], words.len() % 4),
        (&0x0723_0203u32.to_le_bytes()[..], 0)
    );
    let piped = command(&["wgsl", "silu", "--to", "spirv"])
        .output()
        .unwrap();
    assert_eq!(piped.stdout, words);
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    nonlin(&["wgsl", "silu", "--out", &path])
        .refused(&format!("cannot write {path}: it is not a file"));
    let Ran { code, stderr, .. } = nonlin(&["wgsl", "silu", "--out", &format!("{path}/no/silu")]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.starts_with(&format!("nonlin: cannot write {path}/no/silu: ")),
        "{stderr}"
    );
}
