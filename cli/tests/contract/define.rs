//! `--define`: activations from files, as far as it needs no adapter.

use crate::common::{Ran, data, nonlin};
use crate::contents;
use std::fs;
use tempfile::TempDir;

const BUMP: &str = "//#default width = 2.0
fn act_bump(x: f32, width: f32) -> f32 {
    return x * exp(-x * x / width);
}
";

const NOTE: &str = "the reference of bump is made of the same text: whether that is the function that was meant is not \
                    compared";

/// A folder with a file of this text, and the file's name.
fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bump.wgsl");
    fs::write(&path, text).unwrap();
    let name = path.to_str().unwrap().to_owned();
    (folder, name)
}

fn defined(text: &str, command: &str, args: &[&str]) -> Ran {
    let (_folder, path) = file(text);
    nonlin(&[&[command, "--define", &path], args].concat())
}

/// Everything that takes a chain takes one with an activation of a file.
#[test]
fn chains_take_what_is_defined() {
    let text = defined(
        BUMP,
        "wgsl",
        &["scale(0.5) | bump(3)", "--pass", "backward"],
    )
    .fine();
    assert!(
        text.contains("fn act_bump_dx(x: f32, width: f32) -> f32"),
        "{text}"
    );
    let text = defined(
        BUMP,
        "wgsl",
        &["bump(@w)", "--pass", "backward", "--shape", "2x3x64"],
    )
    .fine();
    assert!(text.contains("fn act_bump_d_width("), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bump.svg");
    let ran = defined(BUMP, "plot", &["bump", "--out", out.to_str().unwrap()]);
    assert_eq!(
        (ran.code, ran.stderr),
        (Some(0), format!("nonlin: {NOTE}\n"))
    );
    assert!(fs::read_to_string(&out).unwrap().contains("\nderivative\n"));

    let x = data("c", "x");
    let y = folder.path().join("y.npy");
    let files = ["--x", x.to_str().unwrap(), "--y", y.to_str().unwrap()];
    let ran = defined(
        BUMP,
        "run",
        &[&["scale(0.5) | bump", "--cpu"], &files[..]].concat(),
    );
    assert_eq!(
        (ran.code, ran.stderr),
        (Some(0), format!("nonlin: {NOTE}\n"))
    );
    let names = contents(folder.path()).into_iter().map(|(name, _)| name);
    assert!(names.eq(["bump.svg", "y.npy"]));
}

/// One line each, with the file.
#[test]
fn mistakes_are_told() {
    let (_folder, path) = file("fn act_bump(x: f32) -> f32 {\n    return f32(i32(x));\n}\n");
    nonlin(&["wgsl", "--define", &path, "bump"]).refused(&format!(
        "{path}: activation bump: line 2, column 16: a whole number made of a float has no derivative; floor, round and trunc \
         stay floats"
    ));
    let (_folder, path) = file("fn f(x: f32) -> f32 { return x; }");
    nonlin(&["plot", "--define", &path, "f", "--out", "f.svg"]).refused(&format!(
        "{path}: activation of the text: it has no fn act_<name>(x: f32) -> f32, which is the value of an activation <name>"
    ));
    let (_folder, path) = file(BUMP);
    nonlin(&["wgsl", "--define", &path, "--define", &path, "bump"])
        .refused(&format!("{path}: bump is defined already"));
    let ran = nonlin(&["wgsl", "--define", "none.wgsl", "bump"]);
    assert!(
        ran.stderr.starts_with("nonlin: cannot read none.wgsl: "),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.code, Some(2));
}
