//! `nonlin run` on chains with operands and random steps, with the reference on the CPU.

use crate::common::operands::{Order, check, npy, run_in};
use crate::{contents, run};
use std::fs;

#[test]
fn results_are_those_worked_out_elsewhere() {
    check(&["--cpu"]);
}

/// A folder with x and dy of 2 x 3 x 4, a square x, some operands, and old results.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, shape, count) in [
        ("x.npy", "(2, 3, 4)", 24),
        ("dy.npy", "(2, 3, 4)", 24),
        ("x233.npy", "(2, 3, 3)", 18),
        ("x2323.npy", "(2, 3, 2, 3)", 36),
        ("x5.npy", "(5,)", 5),
        ("x0.npy", "()", 1),
        ("w.npy", "(3,)", 3),
        ("w4.npy", "(4,)", 4),
        ("w23.npy", "(2, 3)", 6),
        ("w6.npy", "(6,)", 6),
        ("w24.npy", "(24,)", 24),
    ] {
        let elements = vec![1.0; count];
        let bytes = npy(shape, Order::C, &elements);
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    for name in ["y.npy", "dx.npy", "dw.npy"] {
        fs::write(folder.path().join(name), b"old").unwrap();
    }
    folder
}

#[test]
fn what_is_wrong_is_said_in_one_line_and_nothing_written() {
    let prelu = "prelu(weight=@w)";
    let x_y = ["--x", "x.npy", "--y", "y.npy"];
    let all = [
        "--x", "x.npy", "--y", "y.npy", "--dy", "dy.npy", "--dx", "dx.npy",
    ];
    let square = ["--x", "x233.npy", "--y", "y.npy", "--arg", "w=w.npy"];
    let cases: &[(&str, &[&str], &[&str], &str)] = &[
        // Names.
        (
            prelu,
            &x_y,
            &[],
            "the chain prelu(weight=@w) needs values for @w: --arg w=FILE",
        ),
        (
            "scale(@s) | bias(@b)",
            &x_y,
            &["--arg", "s=w.npy"],
            "the chain scale(@s) | bias(@b) needs values for @b: --arg b=FILE",
        ),
        (
            "scale(@s) | bias(@b)",
            &x_y,
            &["--arg", "s=w.npy", "--arg", "c=w.npy"],
            "--arg c: the chain scale(@s) | bias(@b) has no operand of that name; it has s, b",
        ),
        (
            "silu",
            &x_y,
            &["--arg", "w=w.npy"],
            "--arg w: the chain silu has no operand of that name; it has none",
        ),
        (
            prelu,
            &x_y,
            &["--arg", "w=w.npy", "--arg", "w=w4.npy"],
            "--arg w is given twice",
        ),
        (
            prelu,
            &all,
            &["--arg", "w=w.npy", "--grad", "w=a.npy", "--grad", "w=b.npy"],
            "--grad w is given twice",
        ),
        (
            "prelu(weight=0.3)",
            &all,
            &["--grad", "weight=dw.npy"],
            "--grad weight: the chain prelu(weight=0.3) has no operand of that name; it has none",
        ),
        (
            prelu,
            &all,
            &["--arg", "w=w.npy", "--grad", "weight=dw.npy"],
            "--grad weight: the chain prelu(weight=@w) has no operand of that name; it has w",
        ),
        // Shapes.
        (
            prelu,
            &x_y,
            &["--arg", "w=w4.npy"],
            "--arg w: w4.npy has the shape (4,), but x.npy has (2, 3, 4); with channels along axis 1 it must \
             be () or (3,) or (1, 3, 1) or (3, 1) or (2, 3) or (2, 3, 1) or (2, 3, 4); with channels along the last axis, \
             say --channel-axis -1",
        ),
        (
            prelu,
            &x_y,
            &["--arg", "w=w6.npy"],
            "--arg w: w6.npy has the shape (6,), but x.npy has (2, 3, 4); with channels along axis 1 it must \
             be () or (3,) or (1, 3, 1) or (3, 1) or (2, 3) or (2, 3, 1) or (2, 3, 4)",
        ),
        (
            prelu,
            &x_y,
            &["--arg", "w=w.npy", "--channel-axis", "-1"],
            "--arg w: w.npy has the shape (3,), but x.npy has (2, 3, 4); with channels along axis 2 it must \
             be () or (4,) or (1, 1, 4) or (1, 4) or (2, 3, 4)",
        ),
        (
            prelu,
            &["--x", "x5.npy", "--y", "y.npy"],
            &["--arg", "w=w.npy"],
            "--arg w: w.npy has the shape (3,), but x5.npy has (5,); without channels it must be () or (5,)",
        ),
        (
            prelu,
            &["--x", "x0.npy", "--y", "y.npy"],
            &["--arg", "w=w.npy"],
            "--arg w: w.npy has the shape (3,), but x0.npy has (); without channels it must be ()",
        ),
        (
            prelu,
            &square,
            &[],
            "--arg w: w.npy has the shape (3,), which fits the (2, 3, 3) of x233.npy in two ways: along its \
             first axes, with channels along axis 1 as in PyTorch, and along its last, as NumPy broadcasts; \
             say --channel-axis 1 or --channel-axis -1, or give it the shape (1, 3, 1)",
        ),
        (
            prelu,
            &["--x", "x2323.npy", "--y", "y.npy", "--arg", "w=w23.npy"],
            &[],
            "--arg w: w23.npy has the shape (2, 3), which fits the (2, 3, 2, 3) of x2323.npy in two ways: along \
             its first axes, with channels along axis 1 as in PyTorch, and along its last, as NumPy broadcasts; \
             say --channel-axis 1, or give it the shape (2, 3, 1, 1)",
        ),
        (
            "silu | gate(@g)",
            &x_y,
            &["--arg", "g=w24.npy"],
            "--arg g: w24.npy has the shape (24,), but x.npy has (2, 3, 4); with channels along axis 1 it must be () or \
             (3,) or (1, 3, 1) or (3, 1) or (2, 3) or (2, 3, 1) or (2, 3, 4)",
        ),
        // Axes.
        (
            prelu,
            &x_y,
            &["--arg", "w=w.npy", "--channel-axis", "3"],
            "--channel-axis 3 is out of range: x.npy has the shape (2, 3, 4), whose ndim is 3",
        ),
        (
            prelu,
            &x_y,
            &["--arg", "w=w.npy", "--channel-axis", "-4"],
            "--channel-axis -4 is out of range: x.npy has the shape (2, 3, 4), whose ndim is 3",
        ),
        (
            prelu,
            &["--x", "x5.npy", "--y", "y.npy"],
            &["--arg", "w=w.npy", "--channel-axis", "1"],
            "--channel-axis 1 is out of range: x5.npy has the shape (5,), whose ndim is 1",
        ),
        // Options that say nothing of the chain.
        (
            "silu",
            &x_y,
            &["--channel-axis", "1"],
            "--channel-axis is for chains with operands (@name); silu has none",
        ),
        (
            prelu,
            &x_y,
            &["--arg", "w=w.npy", "--seed", "0"],
            "--seed is for chains with dropout or rrelu; prelu(weight=@w) has none",
        ),
        (
            "silu",
            &x_y,
            &["--offset", "3"],
            "--offset is for chains with dropout or rrelu; silu has none",
        ),
        // Files.
        (
            prelu,
            &["--x", "x.npy", "--y", "./w.npy"],
            &["--arg", "w=w.npy"],
            "--y and --arg w are the same file, ./w.npy",
        ),
        (
            prelu,
            &all,
            &["--arg", "w=w.npy", "--grad", "w=w.npy"],
            "--grad w and --arg w are the same file, w.npy",
        ),
        (
            prelu,
            &all,
            &["--arg", "w=w.npy", "--grad", "w=./dx.npy"],
            "--grad w and --dx are the same file, ./dx.npy",
        ),
        (
            "scale(@s) | bias(@b)",
            &all,
            &[
                "--arg", "s=w.npy", "--arg", "b=w.npy", "--grad", "s=dw.npy", "--grad", "b=dw.npy",
            ],
            "--grad b and --grad s are the same file, dw.npy",
        ),
        // The chain itself.
        (
            "threshold(threshold=@t, value=0)",
            &all,
            &["--arg", "t=w.npy", "--grad", "t=dt.npy"],
            "the gradient of @t cannot be had: its function has no derivative with respect to it here",
        ),
        (
            "scale(@w) | bias(@w)",
            &x_y,
            &["--arg", "w=w.npy"],
            "@w stands in two places; each argument needs an operand of its own",
        ),
    ];
    let folder = folder();
    let before = contents(folder.path());
    for (chain, files, options, message) in cases {
        run(folder.path(), &[&[*chain], *files, *options].concat()).refused(message);
        assert_eq!(contents(folder.path()), before, "{chain} {options:?}");
    }
}

#[test]
fn files_of_operands_that_cannot_be_read() {
    let folder = folder();
    fs::write(folder.path().join("text.npy"), "1, 2, 3").unwrap();
    let args = [
        "scale(@s)",
        "--x",
        "x.npy",
        "--y",
        "y.npy",
        "--arg",
        "s=text.npy",
    ];
    run(folder.path(), &args).refused("text.npy is not a .npy file");
    let ran = run(folder.path(), &[&args[..6], &["s=no.npy"]].concat());
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.starts_with("nonlin: cannot read no.npy: "),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read(folder.path().join("y.npy")).unwrap(), b"old");
}

#[test]
fn a_gradient_that_cannot_be_written_leaves_all_as_it_was() {
    let folder = folder();
    let before = contents(folder.path());
    let ran = run(
        folder.path(),
        &[
            "scale(@s)",
            "--x",
            "x.npy",
            "--y",
            "y.npy",
            "--dy",
            "dy.npy",
            "--arg",
            "s=w.npy",
            "--grad",
            "s=no/ds.npy",
        ],
    );
    assert_eq!(ran.code, Some(2));
    let message = "nonlin: cannot write no/ds.npy: ";
    assert!(ran.stderr.starts_with(message), "{}", ran.stderr);
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn wrong_usage_of_operands() {
    let folder = folder();
    let before = contents(folder.path());
    let needs = "a name, = and a file are needed, as in w=w.npy";
    let x_y = ["prelu(weight=@w)", "--x", "x.npy", "--y", "y.npy"];
    let cases: &[(&[&str], &str)] = &[
        (&["--arg", "w"], needs),
        (&["--arg", "=w.npy"], needs),
        (&["--arg", "w="], needs),
        (
            &["--arg", "w=w.npy", "--dy", "dy.npy", "--grad", "w"],
            needs,
        ),
        (&["--arg", "w=w.npy", "--grad", "w=dw.npy"], "--dy <FILE>"),
        (
            &["--arg", "w=w.npy", "--dy", "dy.npy"],
            "--dx <FILE>|--grad <NAME=FILE>",
        ),
        (&["--channel-axis", "last"], "--channel-axis <N>"),
        (&["--seed=-1"], "--seed <N>"),
        (&["--offset", "0.5"], "--offset <N>"),
    ];
    for (options, wanted) in cases {
        let ran = run(folder.path(), &[&x_y, *options].concat());
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{options:?}"
        );
        assert!(ran.stderr.contains(wanted), "{options:?}: {}", ran.stderr);
    }
    // Something must be asked for.
    let ran = run(folder.path(), &[&x_y[..3], &["--arg", "w=w.npy"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn operands_are_converted_with_a_note() {
    let folder = folder();
    let ran = run(
        folder.path(),
        &[
            "scale(@s)",
            "--x",
            "x.npy",
            "--y",
            "y.npy",
            "--arg",
            "s=w.npy",
            "--dtype",
            "bf16",
        ],
    );
    let note = |file: &str| format!("nonlin: note: {file} holds f32; it is converted to bf16\n");
    assert_eq!(
        (ran.code, ran.stderr),
        (Some(0), note("x.npy") + &note("w.npy"))
    );
}

#[test]
fn one_file_can_be_more_than_one_input() {
    let folder = folder();
    let args = [
        "gate(@g) | residual(@r)",
        "--x",
        "x.npy",
        "--y",
        "y.npy",
        "--arg",
        "g=x.npy",
        "--arg",
        "r=x.npy",
    ];
    let text = run(folder.path(), &args).fine();
    assert!(
        text.contains("y.npy  (2, 3, 4) f32  forward of gate(@g) | residual(@r)"),
        "{text}"
    );
    // Every x is 1.
    let y = fs::read(folder.path().join("y.npy")).unwrap();
    assert_eq!(y[128..], 2f32.to_le_bytes().repeat(24));
}

#[test]
fn what_is_drawn_depends_on_seed_and_offset() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let count = 4096;
    let ones = npy("(4096,)", Order::C, &vec![1.0; count]);
    fs::write(folder.join("x.npy"), &ones).unwrap();
    let drawn = |chain: &str, options: &[&str]| -> Vec<f32> {
        let options = [options, &["--cpu"]].concat();
        run_in(folder, chain, &["--x", "--y"], &options).fine();
        let y = fs::read(folder.join("y.npy")).unwrap();
        let y = y[128..].chunks(4);
        y.map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    let first = drawn("dropout(0.5)", &["--seed", "7"]);
    let second = drawn("dropout(0.5)", &["--seed", "7", "--offset", "1"]);
    let other = drawn("dropout(0.5)", &["--seed", "8"]);
    assert_eq!(
        first,
        drawn("dropout(0.5)", &["--seed", "7", "--offset", "0"])
    );
    // Two of independent draws are the same for about one half of the elements: 2048, give or take 32.
    for (a, b) in [(&first, &second), (&first, &other), (&second, &other)] {
        let same = a.iter().zip(b).filter(|(a, b)| a == b).count();
        assert!((1848..2248).contains(&same), "{same}");
    }
    // The second random step of a chain draws what the first does with the offset after.
    let both: Vec<_> = first.iter().zip(&second).map(|(a, b)| a * b).collect();
    assert_eq!(both, drawn("dropout(0.5) | dropout(0.5)", &["--seed", "7"]));
    let large = u64::MAX.to_string();
    assert_ne!(
        first,
        drawn("dropout(0.5)", &["--seed", &large, "--offset", &large])
    );
}
