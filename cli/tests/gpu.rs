//! The commands that need an adapter, on the default one. Without any they show as ignored, or fail
//! if REQUIRE_GPU is 1.

#[path = "gpu/benches.rs"]
mod benches;
#[path = "gpu/checks.rs"]
mod checks;
mod common;
#[path = "gpu/reports.rs"]
mod reports;

use ::nonlin::half::bf16;
use ::nonlin::{Chain, adapters, check};
use common::operands::Order;
use common::{CHAIN, KINDS, Ran, command, data, fields, layers, nonlin, operands};
use libtest_mimic::{Arguments, Trial};
use std::io::Write;

const TRIALS: [(&str, fn()); 25] = [
    ("adapters_are_listed", adapters_are_listed),
    ("report_of_the_adapter", reports::of_the_adapter),
    (
        "an_unknown_adapter_is_refused",
        an_unknown_adapter_is_refused,
    ),
    (
        "run_agrees_with_the_reference",
        run_agrees_with_the_reference,
    ),
    ("run_in_16_bits", run_in_16_bits),
    ("run_keeps_what_is_compiled", run_keeps_what_is_compiled),
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
    ("bench_as_json", benches::as_json),
    ("bench_as_text", benches::as_text),
    (
        "bench_of_any_length_and_chain",
        benches::of_any_length_and_chain,
    ),
    ("bench_in_16_bits", benches::in_16_bits),
    ("bench_with_operands", benches::with_operands),
    ("bench_of_layers", benches::of_layers),
    ("bench_of_the_catalogue", benches::of_the_catalogue),
    (
        "bench_with_buffers_in_turns",
        benches::with_buffers_in_turns,
    ),
    ("bench_by_either_clock", benches::by_either_clock),
    (
        "bench_says_what_it_cannot_do",
        benches::says_what_it_cannot_do,
    ),
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

/// In the user's cache, where the backend has pipeline caches, unless that is unwanted. Where the cache of a test is, only
/// Linux lets a variable say.
fn run_keeps_what_is_compiled() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let y = folder.path().join("y.npy");
    let x = data("c", "x");
    let run = |options: &[&str], unwanted: &str| {
        let (x, y) = (x.to_str().unwrap(), y.to_str().unwrap());
        let args = ["run", "silu", "--x", x, "--y", y];
        let mut command = command(&[&args, options].concat());
        command.env("XDG_CACHE_HOME", folder.path());
        command.env("NONLIN_NO_CACHE", unwanted);
        let adapter = Ran::from(command.output().unwrap()).fine();
        let files = std::fs::read_dir(folder.path().join("nonlin"));
        let files = files.into_iter().flatten().count();
        (adapter.contains(" / vulkan / "), files)
    };
    let (_, none) = run(&["--no-cache"], "");
    let (_, none_either) = run(&[], "1");
    assert_eq!([none, none_either], [0, 0]);
    let (is_vulkan, files) = run(&[], "");
    assert_eq!(files, usize::from(is_vulkan));
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
