//! `nonlin run --packed`, with the reference on the CPU.

use crate::common::operands::{Order, compare, npy};
use crate::{contents, run};
use std::fs;

const ROWS: usize = 2;
const HALF: usize = 3;
const X: [f32; 6] = [-1.0, 2.0, 3.0, 4.0, 5.0, -6.0];
const G: [f32; 6] = [0.5, 1.0, 1.5, 2.0, -2.5, 3.0];
const DY: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

/// Two tensors of 2 x 3 in one.
fn packed(how: &str, x: &[f32], g: &[f32]) -> Vec<f32> {
    let mut all = Vec::new();
    for row in 0..ROWS {
        let [x, g] = [x, g].map(|half| &half[row * HALF..][..HALF]);
        match how {
            "halves" => all.extend(x.iter().chain(g)),
            "swapped" => all.extend(g.iter().chain(x)),
            _ => all.extend(x.iter().zip(g).flat_map(|(x, g)| [*x, *g])),
        }
    }
    all
}

const FILES: [&str; 8] = [
    "--x", "x.npy", "--y", "y.npy", "--dy", "dy.npy", "--dx", "dx.npy",
];

#[test]
fn every_arrangement() {
    let relu = X.map(|x| x.max(0.0));
    let product =
        |a: [f32; 6], b: [f32; 6]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let (y, dg) = (product(relu, G), product(relu, DY));
    let masked = X.map(|x| if x > 0.0 { 1.0 } else { 0.0 });
    let dx: Vec<_> = product(masked, G)
        .iter()
        .zip(DY)
        .map(|(a, b)| a * b)
        .collect();
    for how in ["halves", "swapped", "alternating"] {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, shape: &str, data: &[f32]| {
            fs::write(folder.path().join(name), npy(shape, Order::C, data)).unwrap();
        };
        write("x.npy", "(2, 6)", &packed(how, &X, &G));
        write("dy.npy", "(2, 3)", &DY);
        let ran = run(
            folder.path(),
            &[&["reglu", "--packed", how], &FILES[..]].concat(),
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{how}");
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        compare(&read("y.npy"), "(2, 3)", Order::C, &y, how);
        let both = packed(how, &dx, &dg);
        compare(&read("dx.npy"), "(2, 6)", Order::C, &both, how);
    }
}

#[test]
fn what_cannot_be_packed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, shape, count) in [
        ("x.npy", "(2, 6)", 12),
        ("odd.npy", "(4, 3)", 12),
        ("dy.npy", "(2, 6)", 12),
    ] {
        fs::write(
            folder.path().join(name),
            npy(shape, Order::C, &vec![1.0; count]),
        )
        .unwrap();
    }
    let before = contents(folder.path());
    let one_more = "--packed is for chains with one operand more than there are files of --arg, such as swiglu;";
    for (chain, options, message) in [
        (
            "silu",
            &["--y", "y.npy"][..],
            format!("{one_more} silu has 0 more"),
        ),
        (
            "gate(@g) | residual(@r)",
            &["--y", "y.npy"],
            format!("{one_more} gate(@g) | residual(@r) has 2 more"),
        ),
        (
            "reglu",
            &["--dy", "dy.npy", "--dx", "dx.npy"],
            "x.npy has the shape (2, 3) but dy.npy has (2, 6); they must agree".into(),
        ),
        (
            "reglu",
            &["--dy", "dy.npy", "--grad", "g=dg.npy"],
            "--grad g: @g is packed with x, and so is its gradient, in the file of --dx".into(),
        ),
        (
            "frelu",
            &["--y", "y.npy"],
            "--packed is for chains with a gate; frelu is a layer".into(),
        ),
    ] {
        let args = [&[chain, "--x", "x.npy", "--packed", "halves"], options].concat();
        run(folder.path(), &args).refused(&message);
    }
    let odd = [
        "reglu",
        "--x",
        "odd.npy",
        "--packed",
        "alternating",
        "--y",
        "y.npy",
    ];
    run(folder.path(), &odd).refused(
        "--packed: odd.npy has the shape (4, 3), whose last axis is not of an even length",
    );
    assert_eq!(contents(folder.path()), before);
}
