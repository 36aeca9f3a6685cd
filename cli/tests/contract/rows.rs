//! Steps over whole rows: along which axis, and with operands that are broadcast as NumPy has it.

use crate::common::nonlin;
use crate::common::operands::{Order, npy};
use std::fs;
use tempfile::TempDir;

fn path(dir: &TempDir, file: &str) -> String {
    let path = dir.path().join(file);
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn save(path: &str, shape: &[u64], elements: &[f32]) {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let bytes = npy(&format!("({})", lengths.trim_end()), Order::C, elements);
    fs::write(path, bytes).unwrap();
}

/// Refused, with a message that holds this.
fn fails(args: &[&str], message: &str) {
    let ran = nonlin(args);
    assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stdout);
    assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
}

/// The elements of a .npy file of f32.
fn array(path: &str) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let floats = bytes[header..].chunks(4);
    floats
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

#[test]
fn along_any_axis() {
    let dir = tempfile::tempdir().unwrap();
    let (x, y) = (path(&dir, "x.npy"), path(&dir, "y.npy"));
    save(&x, &[2, 3], &[0.0, 1.0, 2.0, 0.0, 1.0, 9.0]);
    let run = |chain: &str, more: &[&str]| {
        let mut args = vec!["run", chain, "--x", &x, "--y", &y, "--cpu"];
        args.extend(more);
        nonlin(&args).fine();
        array(&y)
    };
    let hard = |chain: &str, more: &[&str]| run(chain, more);
    assert_eq!(hard("hardmax", &[]), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let columns = [1.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    assert_eq!(hard("hardmax", &["--axis", "0"]), columns);
    assert_eq!(hard("Hardmax(axis=0)", &[]), columns);
    assert_eq!(hard("hardmax(axis=-2)", &["--axis", "-2"]), columns);
    // Of the row (0, 1, 2) only the first is seen, of the other the first two.
    let y = run("causal(0) | softmax", &[]);
    assert_eq!(y[..3], [1.0, 0.0, 0.0]);
    assert_eq!(y[5], 0.0);
}

/// What depends on a whole row has no curve, and leaves no file.
#[test]
fn rows_have_no_curve() {
    let dir = tempfile::tempdir().unwrap();
    let out = path(&dir, "softmax.svg");
    let message = "cannot draw scale(2) | softmax: it depends on whole rows";
    fails(&["plot", "scale(2) | softmax", "--out", &out], message);
    assert!(!fs::exists(&out).unwrap());
}

#[test]
fn masks_are_broadcast() {
    let dir = tempfile::tempdir().unwrap();
    let [x, y, m, dy, dm] = ["x.npy", "y.npy", "m.npy", "dy.npy", "dm.npy"].map(|f| path(&dir, f));
    save(&x, &[2, 2, 1, 2], &[0.0; 8]);
    save(
        &dy,
        &[2, 2, 1, 2],
        &[1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0],
    );
    save(&m, &[2, 1, 1, 2], &[0.0, f32::NEG_INFINITY, 0.0, 0.0]);
    let arg = format!("m={m}");
    let grad = format!("m={dm}");
    let chain = "residual(@m) | softmax";
    nonlin(&["run", chain, "--x", &x, "--arg", &arg, "--y", &y, "--cpu"]).fine();
    assert_eq!(array(&y), [1.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5]);
    let backward = ["--dy", &dy, "--grad", &grad, "--cpu"];
    let mut args = vec!["run", chain, "--x", &x, "--arg", &arg];
    args.extend(backward);
    nonlin(&args).fine();
    assert_eq!(array(&dm), [0.0, 0.0, 0.5, -0.5]);
}

#[test]
fn what_is_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let [x, y, m] = ["x.npy", "y.npy", "m.npy"].map(|file| path(&dir, file));
    save(&x, &[2, 3], &[0.0; 6]);
    save(&m, &[2], &[0.0; 2]);
    let arg = format!("m={m}");
    for (args, message) in [
        (&["softmax", "--axis", "2"][..], "axis 2 is out of range"),
        (
            &["softmax", "--channel-axis", "1"],
            "--axis says which axis",
        ),
        (
            &["silu", "--axis", "1"],
            "--axis is for chains with a step over whole rows",
        ),
        (&["softmax(axis=1)", "--axis", "0"], "which says axis=1"),
        (
            &["softmax | layer_norm"],
            "step 2: layer_norm cannot stand here: a chain has one step",
        ),
        (&["causal(0) | silu"], "step 1: causal cannot stand here"),
        (
            &["causal(0.5) | softmax"],
            "offset of causal must be a whole number",
        ),
        (
            &["gate(@m | softmax)", "--arg", &arg],
            "a branch has no step over whole rows",
        ),
        (
            &["causal(0) | softmax", "--axis", "0"],
            "causal masks the columns of matrices",
        ),
        (
            &["residual(@m) | softmax", "--arg", &arg],
            "which NumPy does not broadcast to (2, 3)",
        ),
        (&["softmax(sink=inf)"], "sink of softmax must be"),
        (&["rms_norm(eps=-1)"], "eps of rms_norm must be 0 or more"),
    ] {
        let mut all = vec!["run", args[0], "--x", &x, "--y", &y, "--cpu"];
        all.extend(&args[1..]);
        fails(&all, message);
        assert!(!std::path::Path::new(&y).exists(), "{args:?}");
    }
    // A sink has a value for each row at most.
    let k = path(&dir, "k.npy");
    save(&k, &[3], &[0.0; 3]);
    let arg = format!("k={k}");
    let chain = "softmax(sink=@k)";
    let args = ["run", chain, "--x", &x, "--y", &y, "--arg", &arg, "--cpu"];
    fails(&args, "k has 3 elements");
}
