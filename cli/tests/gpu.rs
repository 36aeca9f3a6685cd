//! The commands that need an adapter, on the default one. Without any they show as ignored, or fail
//! if REQUIRE_GPU is 1.

#[path = "gpu/checks.rs"]
mod checks;
mod common;

use ::nonlin::half::bf16;
use ::nonlin::{Activation, Chain, adapters, check};
use common::operands::Order;
use common::{CHAIN, KINDS, Ran, command, data, fields, layers, nonlin, operands};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use std::io::Write;

const TRIALS: [(&str, fn()); 21] = [
    ("adapters_are_listed", adapters_are_listed),
    (
        "an_unknown_adapter_is_refused",
        an_unknown_adapter_is_refused,
    ),
    (
        "run_agrees_with_the_reference",
        run_agrees_with_the_reference,
    ),
    ("run_in_16_bits", run_in_16_bits),
    (
        "run_with_operands_and_random_steps",
        run_with_operands_and_random_steps,
    ),
    ("run_of_layers", run_of_layers),
    ("run_of_layers_in_16_bits", run_of_layers_in_16_bits),
    ("check_of_a_chain", checks::of_a_chain),
    ("check_in_16_bits", checks::in_16_bits),
    ("check_of_every_activation", checks::of_every_activation),
    ("check_of_operands", checks::of_operands),
    ("check_of_layers", checks::of_layers),
    ("check_of_layers_and_chains", checks::of_layers_and_chains),
    ("bench_as_json", bench_as_json),
    ("bench_as_text", bench_as_text),
    (
        "bench_of_any_length_and_chain",
        bench_of_any_length_and_chain,
    ),
    ("bench_in_16_bits", bench_in_16_bits),
    ("bench_with_operands", bench_with_operands),
    ("bench_of_layers", bench_of_layers),
    ("bench_of_the_catalogue", bench_of_the_catalogue),
    ("bench_says_what_it_cannot_do", bench_says_what_it_cannot_do),
];

fn main() {
    let missing = adapters().is_empty();
    let required = std::env::var_os("REQUIRE_GPU").is_some_and(|v| v == "1");
    let trials = TRIALS.map(|(name, test)| {
        let trial = Trial::test(name, move || {
            if missing {
                return Err("there is no adapter, and REQUIRE_GPU=1 asks for one".into());
            }
            test();
            Ok(())
        });
        trial.with_ignored_flag(missing && !required)
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.into());
    // Without exit handlers of drivers, as the library's tests end: see tests/common/trials.rs.
    let _ = std::io::stdout().flush();
    signal_hook::low_level::exit(if conclusion.has_failed() { 101 } else { 0 })
}

fn adapters_are_listed() {
    let document = nonlin(&["adapters", "--json"]).json();
    let listed = document["adapters"].as_array().unwrap();
    let names: Vec<_> = adapters()
        .iter()
        .map(|adapter| adapter.get_info().name)
        .collect();
    assert_eq!(
        listed
            .iter()
            .map(|a| a["name"].as_str().unwrap())
            .collect::<Vec<_>>(),
        names
    );
    assert_eq!(
        listed
            .iter()
            .filter(|adapter| adapter["default"] == true)
            .count(),
        1
    );
    for (index, adapter) in listed.iter().enumerate() {
        assert_eq!(adapter["index"], index);
        assert_eq!(
            fields(adapter),
            [
                "index",
                "name",
                "backend",
                "device_type",
                "driver",
                "driver_info",
                "default",
                "max_storage_buffer_binding_size",
                "max_buffer_size"
            ]
        );
        assert!(adapter["max_buffer_size"].as_u64() > Some(0));
    }
    let text = nonlin(&["adapters"]).fine();
    assert_eq!(text.lines().count(), names.len() + 1);
    assert_eq!(text.lines().filter(|line| line.starts_with('*')).count(), 1);
}

fn an_unknown_adapter_is_refused() {
    for args in [&["check", "relu"][..], &["bench"]] {
        let Ran { code, stderr, .. } = nonlin(&[args, &["--adapter", "no such"]].concat());
        assert_eq!(code, Some(2));
        let message = "nonlin: no adapter whose description contains \"no such\"; found: ";
        assert!(stderr.starts_with(message), "{stderr}");
    }
}

/// An array in the order of its file.
fn array(path: &std::path::Path) -> Vec<f32> {
    let file = npyz::NpyFile::new(std::fs::File::open(path).unwrap()).unwrap();
    file.into_vec().unwrap()
}

fn run_agrees_with_the_reference() {
    let chain: Chain = CHAIN.parse().unwrap();
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let (y, dx) = (folder.path().join("y.npy"), folder.path().join("dx.npy"));
        let mut command = command(&["run", CHAIN]);
        for (option, path) in [
            ("--x", &data(kind, "x")),
            ("--dy", &data(kind, "dy")),
            ("--y", &y),
            ("--dx", &dx),
        ] {
            command.arg(option).arg(path);
        }
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        if kind == "f64" || kind.contains("_with_") {
            // The reference in the tests on files has these; here its inputs would be converted.
            assert_eq!(array(&y).len(), array(&data(kind, "y")).len());
            continue;
        }
        let (x, dy) = (array(&data(kind, "x")), array(&data(kind, "dy")));
        assert!(
            check::forward(&chain, &x, &array(&y)).unwrap().passes(),
            "{kind}"
        );
        assert!(
            check::backward(&chain, &x, &dy, &array(&dx))
                .unwrap()
                .passes(),
            "{kind}"
        );
    }
}

fn run_in_16_bits() {
    let chain: Chain = CHAIN.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let y = folder.path().join("y.npy");
    let [x, result] = [data("c", "x"), y.clone()].map(|path| path.to_str().unwrap().to_owned());
    nonlin(&["run", CHAIN, "--x", &x, "--y", &result, "--dtype", "bf16"]);
    let x: Vec<_> = array(x.as_ref()).into_iter().map(bf16::from_f32).collect();
    let got: Vec<_> = array(&y).into_iter().map(bf16::from_f32).collect();
    assert!(check::forward(&chain, &x, &got).unwrap().passes());
    nonlin(&[
        "run",
        CHAIN,
        "--x",
        &result,
        "--y",
        &result[..result.len() - 4],
        "--dtype",
        "f16",
    ]);
    let bytes = std::fs::read(y.with_extension("")).unwrap();
    let header = String::from_utf8_lossy(&bytes[..128]);
    assert!(header.contains("'<f2'"), "{header}");
    assert_eq!(bytes.len(), 128 + 2 * x.len());
}

fn run_with_operands_and_random_steps() {
    operands::check(&[]);
}

/// Layers' tolerance on adapters, in units of a tensor's largest magnitude.
const LAYERS: f64 = 6e-6;

/// Each layer in both orders, with each kind of setting: the library's tests run all cases on each adapter.
fn run_of_layers() {
    let some = [
        "frelu_evaluation",
        "frelu_training_eps",
        "meta_acon_last",
        "meta_acon_training",
        "dynamic_a_3",
        "dynamic_b_4",
        "dynamic_c_gamma",
    ];
    for case in layers::some(&some) {
        case.check(&[], LAYERS);
    }
}

/// Images of 16 bits: what is rounded at last differs by a unit in the last place at most.
fn run_of_layers_in_16_bits() {
    let some = ["frelu_training_bias", "dynamic_a_3"];
    for case in layers::some(&some) {
        for (dtype, images, unit) in [
            ("f16", Order::Half, 2f64.powi(-10)),
            ("bf16", Order::C, 2f64.powi(-7)),
        ] {
            let options = ["--dtype", dtype];
            let got = case.run(images, &options);
            let want = case.run(images, &["--dtype", dtype, "--cpu"]);
            for (name, want) in want {
                let got = &got[&name];
                let at = format!("{} {dtype} {name}", case.name);
                assert_eq!((&got.shape, got.order), (&want.shape, want.order), "{at}");
                let rounded = name == "y" || name == "d.x";
                let largest = want.values.iter().fold(0.1, |a: f64, v| a.max(v.abs()));
                for (got, want) in got.values.iter().zip(&want.values) {
                    let unit = if rounded { unit * want.abs() } else { 0.0 };
                    let near = (got - want).abs() <= unit + LAYERS * largest;
                    assert!(near, "{at}: {got} instead of {want}");
                }
            }
        }
    }
}

fn bench_as_json() {
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
        "chain",
        "passes",
    ];
    assert_eq!(fields(&document), names);
    assert_eq!(document["chain"], "scale(0.5) | silu | scale(2)");
    let numbers = ["len", "workgroup", "words", "samples"].map(|name| document[name].as_u64());
    assert_eq!(numbers, [5000, 64, 2, 3].map(Some));
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

fn bench_as_text() {
    let text = nonlin(&["bench", "relu", "--len", "1000", "--samples", "1"]).fine();
    let lines: Vec<_> = text.lines().collect();
    // From y as well.
    assert_eq!((lines[1], lines.len()), ("relu", 13), "{text}");
    assert!(lines[12].starts_with("backward: fused is "), "{text}");
}

fn bench_of_any_length_and_chain() {
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

fn bench_in_16_bits() {
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
fn bench_with_operands() {
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
fn bench_of_layers() {
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
            "adapter", "len", "dtype", "samples", "layer", "shape", "passes",
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

fn bench_of_the_catalogue() {
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

fn bench_says_what_it_cannot_do() {
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
