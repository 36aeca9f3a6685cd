//! `nonlin bench` on the default adapter.

use crate::common::{Ran, fields, nonlin};
use ::nonlin::Activation;
use serde_json::Value;

pub(crate) fn as_json() {
    let args = [
        "bench",
        "--len",
        "5000",
        "--samples",
        "3",
        "--workgroup",
        "64",
        "--words",
        "2",
    ];
    let document = nonlin(&[&args[..], &["--json"]].concat()).json();
    let names = [
        "adapter",
        "len",
        "dtype",
        "workgroup",
        "words",
        "samples",
        "clock",
        "buffer_sets",
        "chain",
        "passes",
    ];
    assert_eq!(fields(&document), names);
    assert_eq!(document["chain"], "scale(0.5) | silu | scale(2)");
    let numbers = ["len", "workgroup", "words", "samples"].map(|name| document[name].as_u64());
    assert_eq!(numbers, [5000, 64, 2, 3].map(Some));
    let clock = document["clock"].as_str().unwrap();
    assert!(["timestamps", "host"].contains(&clock), "{clock}");
    assert!(document["buffer_sets"].as_u64() >= Some(1));
    // Buffers gone through, fused and unfused; backward of a scale reads the gradient alone.
    for (pass, (name, fused, unfused)) in document["passes"]
        .as_array()
        .unwrap()
        .iter()
        .zip([("forward", 2, 6), ("backward", 3, 7)])
    {
        assert_eq!(
            fields(pass),
            [
                "chain", "pass", "repeats", "copy", "fused", "unfused", "speedup"
            ]
        );
        assert_eq!(pass["pass"], name);
        let variants = [
            ("copy", 1, fused),
            ("fused", 1, fused),
            ("unfused", 3, unfused),
        ];
        for (variant, dispatches, buffers) in variants {
            let variant = &pass[variant];
            assert_eq!(variant["dispatches"], dispatches);
            assert_eq!(variant["bytes"], 5000 * 4 * buffers);
            let time = |name: &str| variant[name].as_f64().unwrap();
            assert!(0.0 < time("min_ns") && time("min_ns") <= time("median_ns"));
            assert!(time("median_ns") <= time("max_ns"));
            let names = ["ns_per_element", "gb_per_s", "ratio_to_copy"];
            assert!(names.iter().all(|name| time(name) > 0.0), "{variant}");
        }
        let ratio = |name: &str| pass[name]["ratio_to_copy"].as_f64().unwrap();
        assert_eq!(ratio("copy"), 1.0);
        let speedup = pass["speedup"].as_f64().unwrap();
        assert!((speedup - ratio("unfused") / ratio("fused")).abs() < 1e-9 * speedup);
    }
}

pub(crate) fn as_text() {
    let text = nonlin(&["bench", "relu", "--len", "1000", "--samples", "1"]).fine();
    let lines: Vec<_> = text.lines().collect();
    // From y as well.
    assert_eq!((lines[1], lines.len()), ("relu", 14), "{text}");
    assert!(lines[3].starts_with("clock: the "), "{text}");
    assert!(lines[13].starts_with("backward: fused is "), "{text}");
}

pub(crate) fn of_any_length_and_chain() {
    for (chain, len) in [
        ("gelu", "1"),
        ("silu | mish", "3"),
        (
            "scale(2) | scale(-3) | tanh | softplus | scale(0.1)",
            "65537",
        ),
    ] {
        nonlin(&["bench", chain, "--len", len, "--samples", "1"]).fine();
    }
}

pub(crate) fn in_16_bits() {
    for (dtype, len) in [("f16", "1"), ("bf16", "70003")] {
        let chain = "scale(0.5) | silu | scale(2)";
        let args = [
            "bench",
            chain,
            "--dtype",
            dtype,
            "--len",
            len,
            "--samples",
            "1",
            "--json",
        ];
        let document = nonlin(&args).json();
        assert_eq!(document["dtype"], dtype);
        let bytes = len.parse::<u64>().unwrap() * 2 * 2;
        assert_eq!(document["passes"][0]["fused"]["bytes"], bytes);
        assert_eq!(document["passes"][0]["copy"]["bytes"], bytes);
    }
}

/// Every kind of step, shapes for sums by rows and by columns, and without channels; how many dispatches there
/// are and how many tensors they go through.
pub(crate) fn with_operands() {
    let everything = "scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)";
    // Of dx_only, fused and unfused: dispatches and tensors.
    let cases = [
        // Unfused: a copy, a product, mish, a sum from two tensors, and a product with a sum.
        (
            everything,
            &["--shape", "2x3x1000"][..],
            "f32",
            [(1, 3), (2, 4), (7, 2 + 2 + 3 + 2 + 3)],
        ),
        (
            everything,
            &["--shape", "70x8x1"],
            "f16",
            [(1, 3), (2, 4), (7, 12)],
        ),
        (
            "prelu(weight=@w)",
            &["--len", "1000"],
            "bf16",
            [(1, 3), (2, 3), (2, 3)],
        ),
        // Two products and silu.
        (
            "silu | gate(@g)",
            &["--len", "1001"],
            "f32",
            [(1, 4), (1, 5), (3, 9)],
        ),
        // Two products; a scale that learns, tanh and silu.
        (
            "silu | gate(@u | tanh | scale(@s))",
            &["--shape", "4x8x16"],
            "f32",
            [(1, 4), (2, 5), (6, 15)],
        ),
        (
            "bias(2) | rrelu | scale(@s) | scale(3)",
            &["--shape", "5x4x4"],
            "f32",
            [(1, 3), (2, 3), (4, 8)],
        ),
    ];
    for (chain, size, dtype, counts) in cases {
        let args = ["bench", chain, "--dtype", dtype, "--samples", "1", "--json"];
        let document = nonlin(&[&args[..], size].concat()).json();
        let backward = &document["passes"][1];
        assert_eq!(backward["pass"], "backward");
        let tensor = document["len"].as_u64().unwrap() * if dtype == "f32" { 4 } else { 2 };
        for (name, (dispatches, tensors)) in ["dx_only", "fused", "unfused"].iter().zip(counts) {
            let variant = &backward[name];
            assert_eq!(
                variant["dispatches"], dispatches,
                "{chain} {name}: {variant}"
            );
            assert_eq!(
                variant["bytes"],
                tensors * tensor,
                "{chain} {name}: {variant}"
            );
        }
        let sums = backward["fused"]["dispatches"] == 2;
        assert_eq!(backward["fused"]["scratch_bytes"] != 0, sums, "{chain}");
    }
    // From y where that is enough: the same bytes.
    for (chain, is_enough) in [
        ("tanh", true),
        ("scale(2) | sigmoid", true),
        ("silu", false),
        ("softmax", true),
        ("rms_norm(eps=0)", false),
        ("prelu(weight=@w)", false),
    ] {
        let args = ["bench", chain, "--len", "4096", "--samples", "1", "--json"];
        let document = nonlin(&args).json();
        let [forward, backward] = [0, 1].map(|pass| &document["passes"][pass]);
        assert!(forward.get("from_y").is_none(), "{chain}: {forward}");
        let from_y = backward.get("from_y");
        assert_eq!(from_y.is_some(), is_enough, "{chain}: {backward}");
        if let Some(from_y) = from_y {
            assert_eq!(from_y["bytes"], 3 * 4 * 4096, "{chain}: {from_y}");
        }
    }
    // Nothing to learn: as other chains.
    let text = nonlin(&["bench", "dropout(0.5)", "--len", "64", "--samples", "1"]).fine();
    assert!(!text.contains("dx_only"), "{text}");
    for shape in ["3x4", "0x1x1", "axbxc", "4294967296x4294967296x2"] {
        let Ran { code, stderr, .. } = nonlin(&["bench", "relu", "--shape", shape]);
        assert_eq!(code, Some(2), "{shape}");
        assert!(
            stderr.contains("three numbers such as 32x256x2048"),
            "{stderr}"
        );
    }
}

/// Both forms of every layer have right results, or the exit code would be 1; how many dispatches there are.
pub(crate) fn of_layers() {
    // Fused forward and backward, and unfused.
    let cases = [
        ("meta_acon", "", "2x8x6x7", [3, 3, 11, 20]),
        ("dyrelu_b", "k=3", "1x5x3x3", [3, 3, 13, 24]),
        ("dyrelu_c", "k=1", "2x6x5x4", [4, 5, 15, 22]),
        ("frelu", "norm=train,bias=true", "3x2x7x5", [3, 5, 6, 9]),
        (
            "frelu",
            "norm=none,light=true,kernel=5",
            "1x4x9x4",
            [1, 3, 4, 8],
        ),
    ];
    for (layer, settings, shape, dispatches) in cases {
        let mut args = vec!["bench", layer, "--shape", shape, "--samples", "1", "--json"];
        for setting in settings.split(',').filter(|text| !text.is_empty()) {
            args.extend(["--set", setting]);
        }
        let document = nonlin(&args).json();
        let names = [
            "adapter",
            "len",
            "dtype",
            "samples",
            "clock",
            "buffer_sets",
            "layer",
            "shape",
            "passes",
        ];
        assert_eq!(fields(&document), names);
        assert_eq!(document["shape"], shape);
        assert!(document["layer"].as_str().unwrap().starts_with(layer));
        let passes = document["passes"].as_array().unwrap();
        let names: Vec<_> = passes.iter().map(|pass| pass["pass"].clone()).collect();
        assert_eq!(names, ["forward", "backward", "both"]);
        let number = |pass: usize, form: &str| passes[pass][form]["dispatches"].as_u64().unwrap();
        let found = [
            number(0, "fused"),
            number(1, "fused"),
            number(0, "unfused"),
            number(1, "unfused"),
        ];
        assert_eq!(found, dispatches, "{layer} {settings}");
        assert_eq!(number(2, "unfused"), dispatches[2] + dispatches[3]);
    }
    let text = nonlin(&["bench", "frelu", "--shape", "1x1x3x3", "--samples", "1"]).fine();
    assert!(text.contains("both: fused is "), "{text}");
    for (args, message) in [
        (
            &["bench", "frelu", "--len", "64"][..],
            "--len is for chains, but frelu is a layer",
        ),
        (
            &["bench", "frelu", "--shape", "1x2x3"],
            "--shape has three lengths, which is for chains, but frelu is a layer",
        ),
        (
            &["bench", "relu", "--shape", "1x2x3x4"],
            "--shape: a chain's has three lengths, not 4",
        ),
        (
            &["bench", "relu", "--set", "k=2"],
            "--set is for layers; relu is none",
        ),
        (
            &["bench", "frelu", "--dtype", "f16"],
            "--dtype is for chains, but frelu is a layer",
        ),
        (
            &["bench", "frelu", "--words", "2"],
            "--workgroup and --words are for chains",
        ),
        (
            &["bench", "meta_acon", "--set", "norm=eval"],
            "its unfused form is there without norms only",
        ),
    ] {
        let Ran { code, stderr, .. } = nonlin(args);
        assert_eq!(code, Some(2), "{args:?}");
        assert!(stderr.contains(message), "{args:?}: {stderr}");
    }
}

pub(crate) fn of_the_catalogue() {
    let args = ["bench", "--all", "--len", "1000", "--samples", "1"];
    let ran = nonlin(&[&args[..], &["--json"]].concat());
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let names = [
        "adapter",
        "len",
        "dtype",
        "workgroup",
        "words",
        "samples",
        "clock",
        "buffer_sets",
        "results",
    ];
    assert_eq!(fields(&document), names);
    // One whose results are wrong is not timed; that is told, and shows in the exit code.
    let results = document["results"].as_array().unwrap();
    let wrong = ran.stderr.lines().count();
    assert_eq!(results.len() + wrong, 2 * Activation::ALL.len());
    assert_eq!(ran.code, Some((wrong > 0).into()));
    for result in results {
        assert_eq!(
            fields(result),
            ["chain", "pass", "repeats", "copy", "fused"]
        );
        assert!(result["fused"]["ratio_to_copy"].as_f64() > Some(0.0));
    }
    let text = nonlin(&[&args[..], &["--dtype", "f16"]].concat()).stdout;
    assert_eq!(text.lines().nth(1), Some("every activation"), "{text}");
    assert!(text.contains("\nrelu "), "{text}");
}

/// Buffers that take turns change nothing of what is done once.
pub(crate) fn with_buffers_in_turns() {
    for what in [
        &["relu | scale(2)", "--len", "1000"][..],
        &["prelu(weight=@w)", "--shape", "2x3x100"],
        &["frelu", "--shape", "1x2x5x5"],
        &["--all", "--len", "64"],
    ] {
        let args = ["--samples", "2", "--json", "--buffer-sets"];
        let bytes = |sets| {
            let document = nonlin(&[&["bench"], what, &args[..], &[sets]].concat()).json();
            assert_eq!(document["buffer_sets"].to_string(), sets);
            let results = document.get("passes").or(document.get("results"));
            let results = results.unwrap().as_array().unwrap().iter();
            let bytes = results.map(|result| result["fused"]["bytes"].clone());
            bytes.collect::<Vec<_>>()
        };
        assert_eq!(bytes("1"), bytes("3"), "{what:?}");
    }
}

/// By the clock that is asked for, or not at all.
pub(crate) fn by_either_clock() {
    let args = ["bench", "relu", "--len", "1000", "--samples", "1", "--json"];
    let host = nonlin(&[&args[..], &["--clock", "host"]].concat()).json();
    assert_eq!(host["clock"], "host");
    let ran = nonlin(&[&args[..], &["--clock", "timestamps"]].concat());
    match ran.code {
        Some(0) => assert_eq!(ran.json()["clock"], "timestamps"),
        _ => assert!(
            ran.stderr
                .starts_with("nonlin: --clock timestamps cannot be had here; "),
            "{ran:?}"
        ),
    }
}

pub(crate) fn says_what_it_cannot_do() {
    let Ran { code, stderr, .. } = nonlin(&["bench", "--len", "1099511627776"]);
    assert_eq!(code, Some(2), "{stderr}");
    let message =
        "nonlin: a buffer for --len elements takes 4398046511104 bytes; this device allows ";
    assert!(stderr.starts_with(message), "{stderr}");
    nonlin(&["bench", "--workgroup", "1", "--words", "99"]).refused(
        "a workgroup of 1 with 99 words per invocation cannot run: \
         an invocation handles 1 to 16 words",
    );
}
