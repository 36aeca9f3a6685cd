//! ONNX's own node tests of activations, through the command, with the reference on the CPU. data/onnx_nodes.py wrote the
//! arrays, and runs the same on an adapter.

use crate::common::nonlin;
use std::fs;
use std::path::Path;

/// The elements of a .npy file of f32.
fn elements(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(String::from_utf8_lossy(&bytes[..header]).contains("'<f4'"));
    let floats = bytes[header..].chunks(4);
    floats
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

#[test]
fn node_tests_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx");
    let out = tempfile::tempdir().unwrap();
    let y = out.path().join("y.npy");
    let mut count = 0;
    for line in include_str!("../data/onnx/cases.txt").lines() {
        let [name, chain, options] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three parts are needed: {line}");
        };
        let file = |what: &str| folder.join(format!("{name}_{what}.npy"));
        let x = file("x");
        let operand = format!("w={}", file("w").display());
        let options = options.split_whitespace().map(|option| match option {
            "w=w.npy" => operand.as_str(),
            option => option,
        });
        let paths = [&x, &y].map(|path| path.to_str().expect("a path in UTF-8"));
        let mut args = vec!["run", chain, "--x", paths[0], "--y", paths[1], "--cpu"];
        args.extend(options);
        nonlin(&args).fine();
        let (got, want) = (elements(&y), elements(&file("y")));
        assert_eq!(got.len(), want.len(), "{name}");
        for (got, want) in got.iter().zip(&want) {
            // Of those of float16 the wanted values are rounded.
            let relative = if name.contains("16") { 1e-3 } else { 1e-6 };
            let near = (got - want).abs() <= relative * want.abs() + 1e-7;
            assert!(near, "{name}, {chain}: {got}, not {want}");
        }
        count += 1;
    }
    assert!(count > 40, "{count} tests");
}
