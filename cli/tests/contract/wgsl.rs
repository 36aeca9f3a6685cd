//! `nonlin wgsl` of what a pass dispatches: layers, and chains on a shape.

use crate::common::{Ran, nonlin};
use crate::contents;
use std::fs;
use std::path::Path;

/// The comments that head kernels, and the kernels.
fn kernels(text: &str) -> Vec<(&str, &str)> {
    let mut starts: Vec<_> = text.match_indices("// nonlin ").map(|(at, _)| at).collect();
    starts.push(text.len());
    let kernel = |ends: &[usize]| text[ends[0]..ends[1]].split_once('\n').unwrap();
    starts.windows(2).map(kernel).collect()
}

fn titles(args: &[&str]) -> Vec<String> {
    let text = nonlin(&[&["wgsl"], args].concat()).fine();
    let found = kernels(&text);
    for (title, kernel) in &found {
        assert!(title.ends_with(" workgroups"), "{title}");
        naga::front::wgsl::parse_str(kernel).expect(title);
    }
    found.iter().map(|(title, _)| title.to_string()).collect()
}

/// Of every layer, as many kernels as the library says.
#[test]
fn layers_are_shown_kernel_by_kernel() {
    let small = &["--shape", "2x8x12x8"][..];
    let cases: &[(&str, &[&str], usize, usize)] = &[
        ("frelu", &[], 1, 3),
        ("frelu", &["--set", "norm=train"], 3, 5),
        ("meta_acon", &[], 3, 3),
        ("dyrelu_a", &[], 3, 3),
        ("dyrelu_b", &["--order", "nhwc"], 3, 3),
        ("dyrelu_c", &["--dtype", "f16"], 4, 5),
        (
            "dynamic_relu",
            &["--dtype", "bf16", "--set", "variant=c"],
            4,
            5,
        ),
    ];
    for (layer, options, forward, backward) in cases {
        let args = [&[*layer], small, options].concat();
        assert_eq!(titles(&args).len(), *forward, "{args:?}");
        let args = [&args[..], &["--pass", "backward"]].concat();
        let titles = titles(&args);
        assert_eq!(titles.len(), *backward, "{args:?}");
        assert!(titles[0].contains(" backward "), "{}", titles[0]);
    }
    // Without a shape, that of the bench.
    let default = nonlin(&["wgsl", "meta_acon"]).fine();
    let given = nonlin(&["wgsl", "meta_acon", "--shape", "16x64x56x56"]).fine();
    assert_eq!(default, given);
}

#[test]
fn shapes_orders_and_settings_make_a_difference() {
    let text = |args: &[&str]| nonlin(&[&["wgsl", "frelu"], args].concat()).fine();
    let plain = text(&[]);
    for args in [
        &["--order", "nhwc"][..],
        &["--dtype", "f16"],
        &["--set", "kernel=5"],
        &["--set", "norm=none"],
        &["--pass", "backward"],
        &["--shape", "1x1x5x5"],
    ] {
        assert_ne!(text(args), plain, "{args:?}");
    }
    // What is only read is bound so.
    assert!(plain.contains("var<storage, read> x"), "{plain}");
}

/// With gradients of values per channel: the sweep, and the kernel that adds up what it leaves.
#[test]
fn a_chain_on_a_shape() {
    let args = ["prelu(weight=@w)", "--pass", "backward"];
    let swept = titles(&[&args[..], &["--shape", "32x256x2048"]].concat());
    assert_eq!(swept.len(), 2, "{swept:?}");
    assert!(swept[0].contains("backward"), "{swept:?}");
    assert!(swept[1].starts_with("// nonlin finish: "), "{swept:?}");
    // One for each element needs no sum.
    let each = titles(&[&args[..], &["--shape", "2x3x64", "--arg", "w=element"]].concat());
    assert_eq!(each.len(), 1, "{each:?}");
    assert_eq!(titles(&["silu | gate(@g)", "--shape", "2x3x64"]).len(), 1);
    let from_y = [
        "sigmoid",
        "--pass",
        "backward-from-y",
        "--shape",
        "1x1x1000",
    ];
    assert_eq!(titles(&from_y).len(), 1);
    // Without a shape, as ever.
    let chain: nonlin::Chain = args[0].parse().unwrap();
    let alone = nonlin(&[&["wgsl"], &args[..]].concat()).fine();
    assert_eq!(alone, chain.wgsl(nonlin::Pass::Backward).unwrap());
}

/// Operands elsewhere than at multiples of four elements, and operands that may share a buffer, have other kernels.
#[test]
fn offsets_and_shared_buffers() {
    for subject in ["silu", "frelu"] {
        let shape = if subject == "silu" {
            "2x4x64"
        } else {
            "2x4x8x8"
        };
        let text = |more: &[&str]| {
            let args = ["wgsl", subject, "--pass", "backward", "--shape", shape];
            nonlin(&[&args, more].concat()).fine()
        };
        let plain = text(&[]);
        assert!(plain.contains("var<storage, read> x"), "{plain}");
        // Bindings begin at multiples of 256 bytes.
        assert_eq!(text(&["--offset", "64"]), plain);
        let behind = text(&["--offset", "4"]);
        let asks = |text: &str| text.contains("args.x + i");
        let is_chain = subject == "silu";
        assert_eq!([asks(&plain), asks(&behind)], [false, is_chain]);
        assert_eq!(behind == plain, !is_chain, "{behind}");
        let elements = text(&["--offset", "1", "--dtype", "f16"]);
        assert_ne!(elements, text(&["--dtype", "f16"]), "{subject}");
        let shared = text(&["--shared"]);
        assert!(!shared.contains("var<storage, read> "), "{shared}");
        assert!(shared.contains("var<storage, read_write> x"), "{shared}");
    }
}

#[test]
fn in_every_language() {
    for (layer, count) in [
        ("frelu", 3),
        ("meta_acon", 3),
        ("dyrelu_a", 3),
        ("dyrelu_b", 3),
        ("dyrelu_c", 5),
    ] {
        for (to, wanted) in [
            ("msl", "#include <metal_stdlib>"),
            ("hlsl", "[numthreads("),
            ("glsl", "#version 310 es"),
        ] {
            let args = [
                "wgsl", layer, "--pass", "backward", "--shape", "2x4x8x8", "--to", to,
            ];
            let text = nonlin(&args).fine();
            let found = kernels(&text);
            assert_eq!(found.len(), count, "{layer} {to}");
            assert!(
                found.iter().all(|(_, kernel)| kernel.contains(wanted)),
                "{layer} {to}"
            );
        }
    }
}

#[test]
fn spirv_is_a_file_for_each_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("frelu.spv");
    let out = out.to_str().unwrap();
    let args = [
        "wgsl", "frelu", "--pass", "backward", "--shape", "2x4x8x8", "--to", "spirv",
    ];
    nonlin(&args).refused(
        "SPIR-V of 3 kernels is as many files; give --out FILE, and FILE.0, FILE.1 and so on are written, the \
         numbers before the extension",
    );
    let text = nonlin(&[&args[..], &["--out", out]].concat()).fine();
    let files = contents(folder.path());
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["frelu.0.spv", "frelu.1.spv", "frelu.2.spv"]);
    for ((name, bytes), line) in files.iter().zip(text.lines()) {
        assert_eq!(&bytes[..4], 0x0723_0203u32.to_le_bytes(), "{name}");
        assert!(
            line.contains(name) && line.ends_with(" workgroups"),
            "{line}"
        );
    }
    // One kernel is the file itself, or goes to a pipe.
    let one = folder.path().join("one.spv");
    let forward = ["wgsl", "frelu", "--to", "spirv"];
    nonlin(&[&forward[..], &["--out", one.to_str().unwrap()]].concat()).fine();
    let piped = crate::command(&forward).output().unwrap();
    assert_eq!(piped.stdout, fs::read(&one).unwrap());
}

/// Where one file cannot be written, none is.
#[test]
fn all_files_or_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.0.spv"), b"old").unwrap();
    fs::create_dir(folder.path().join("a.1.spv")).unwrap();
    let out = folder.path().join("a.spv").display().to_string();
    let Ran {
        code,
        stdout,
        stderr,
    } = nonlin(&["wgsl", "meta_acon", "--to", "spirv", "--out", &out]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("a.1.spv: it is not a file"), "{stderr}");
    assert_eq!(fs::read(folder.path().join("a.0.spv")).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let needs = "needs --shape, such as 32x256x2048: without it a chain's kernel is shown by itself, for f32 \
                 operands as long as x";
    let cases: &[(&[&str], &str)] = &[
        (
            &["frelu", "--set", "kernal=3"],
            "--set kernal=3: frelu has no setting of that name; it has kernel, bias, light, norm, eps, momentum",
        ),
        (
            &["frelu", "--shape", "2x3x4"],
            "--shape: a layer's has four lengths, not 3: samples, channels, height and width",
        ),
        (
            &["silu", "--shape", "2x3x4x5"],
            "--shape: a chain's has three lengths, not 4: samples, channels and elements of each",
        ),
        (
            &["silu", "--set", "k=2"],
            "--set is for layers, such as frelu; silu is a chain",
        ),
        (
            &["silu", "--order", "nhwc"],
            "--order is for layers, such as frelu; silu is a chain",
        ),
        (&["silu", "--dtype", "f16"], &format!("--dtype {needs}")),
        (&["silu", "--offset", "1"], &format!("--offset {needs}")),
        (&["silu", "--shared"], &format!("--shared {needs}")),
        (
            &["scale(@s)", "--arg", "s=shared"],
            &format!("--arg {needs}"),
        ),
        (
            &["scale(@s)", "--shape", "2x3x4", "--arg", "t=shared"],
            "--arg t: the chain scale(@s) has no operand of that name; it has s",
        ),
        (
            &["frelu", "--arg", "weight=shared"],
            "--arg is for chains with operands; frelu is a layer",
        ),
        (
            &["frelu | silu"],
            "frelu is a layer: it runs alone, as in nonlin wgsl frelu, and takes its settings from --set",
        ),
    ];
    for (args, message) in cases {
        nonlin(&[&["wgsl"], *args].concat()).refused(message);
    }
    for args in [
        &["frelu", "--pass", "backward-from-y"][..],
        &["frelu", "--shape", "1048576x64x64x1"],
        &["silu", "--shape", "1x2"],
    ] {
        let Ran { code, stdout, .. } = nonlin(&[&["wgsl"], args].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}");
    }
}

#[test]
fn operations_are_counted() {
    let text = nonlin(&["wgsl", "tanh", "--count"]).fine();
    // The names of the passes, and behind them the sum and its parts.
    let line = |line: &str| {
        let at = line.find(|c: char| c.is_ascii_digit()).unwrap();
        let numbers = line[at..].split_whitespace();
        let counts: Vec<usize> = numbers.map(|word| word.parse().unwrap()).collect();
        assert_eq!(counts[0], counts[1..].iter().sum::<usize>(), "{text}");
        (line[..at].trim().to_owned(), counts[0])
    };
    let passes: Vec<_> = text.lines().skip(1).map(line).collect();
    let names = passes.iter().map(|(name, _)| name.as_str());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["forward", "backward", "backward from y", "double backward"]
    );
    // 1 - y * y and a product, and what is around them.
    assert!(passes[2].1 < 20 && passes[1].1 > 30, "{text}");
    let how = "`nonlin wgsl --count > docs/ARITHMETIC.md` writes it";
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let committed = fs::read_to_string(docs.join("ARITHMETIC.md")).unwrap();
    let told = nonlin(&["wgsl", "--count"]).fine();
    assert_eq!(told, committed.replace("\r\n", "\n"), "{how}");
    // tanh's row begins with what was counted above.
    let row = format!("| tanh | {}, ", passes[0].1);
    assert!(told.contains(&row), "{row}");
    nonlin(&["wgsl", "--count", "--order", "nhwc"]).refused("--order needs a chain, or a layer");
    nonlin(&["wgsl", "frelu", "--count"]).refused("--count is for chains; frelu is a layer");
    nonlin(&["wgsl", "softmax", "--count"]).refused(
        "--count is for chains that go element by element; softmax has a step over whole rows",
    );
}
