//! Chains with operands and random steps on files, with results from elsewhere: worked out by hand, or, where
//! exponentials occur, in f64 with Python's math.

use super::{Ran, command};
use nonlin::half::f16;
use std::fs;
use std::path::Path;

/// An array: the option that its file is for, its shape as Python writes it, and its elements in the order of
/// the file.
pub(crate) type Array = (&'static str, &'static str, Order, Vec<f32>);

/// How an array is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    C,
    Fortran,
    /// In C order, as f16.
    Half,
}

use Order::{C, Fortran, Half};

/// A run of the command.
pub(crate) struct Case {
    pub(crate) chain: &'static str,
    pub(crate) options: &'static [&'static str],
    pub(crate) inputs: Vec<Array>,
    pub(crate) results: Vec<Array>,
}

/// The bytes of a .npy file.
pub(crate) fn npy(shape: &str, order: Order, elements: &[f32]) -> Vec<u8> {
    let (descr, fortran) = match order {
        C => ("<f4", "False"),
        Fortran => ("<f4", "True"),
        Half => ("<f2", "False"),
    };
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    for element in elements {
        match order {
            Half => bytes.extend(f16::from_f32(*element).to_le_bytes()),
            _ => bytes.extend(element.to_le_bytes()),
        }
    }
    bytes
}

/// The file that an option's array is in: w.npy for `--arg w`.
fn file(option: &str) -> String {
    let option = option.trim_start_matches('-').replace("grad ", "d");
    format!("{}.npy", option.replace("arg ", ""))
}

/// Runs `nonlin run` in a folder: `--arg w` becomes `--arg w=w.npy`, and so on.
pub(crate) fn run_in(folder: &Path, chain: &str, files: &[&str], options: &[&str]) -> Ran {
    let mut args = vec!["run".to_owned(), chain.to_owned()];
    for option in files {
        let file = file(option);
        match option.split_once(' ') {
            Some((option, name)) => args.extend([option.to_owned(), format!("{name}={file}")]),
            None => args.extend([(*option).to_owned(), file]),
        }
    }
    args.extend(options.iter().map(|option| (*option).to_owned()));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let output = command(&args).current_dir(folder).output();
    output.expect("the command runs").into()
}

/// Runs the cases, with one more option or none, and compares.
pub(crate) fn check(engine: &[&str]) {
    for Case {
        chain,
        options,
        inputs,
        results,
    } in cases()
    {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (option, shape, order, elements) in &inputs {
            fs::write(folder.join(file(option)), npy(shape, *order, elements)).unwrap();
        }
        let files: Vec<_> = inputs
            .iter()
            .chain(&results)
            .map(|(option, ..)| *option)
            .collect();
        let ran = run_in(folder, chain, &files, &[options, engine].concat());
        assert_eq!(ran.code, Some(0), "{chain}: {}", ran.stderr);
        // The adapter, and a line for each result.
        assert_eq!(
            ran.stdout.lines().count(),
            1 + results.len(),
            "{}",
            ran.stdout
        );
        assert_eq!(
            fs::read_dir(folder).unwrap().count(),
            files.len(),
            "{chain}"
        );
        for (option, shape, order, wanted) in &results {
            let bytes = fs::read(folder.join(file(option))).unwrap();
            let at = format!("{chain} {options:?} {option}: {}", ran.stdout);
            compare(&bytes, shape, *order, wanted, &at);
        }
    }
}

/// Asserts that a file holds elements, but for some roundings in f32.
pub(crate) fn compare(bytes: &[u8], shape: &str, order: Order, wanted: &[f32], at: &str) {
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..end]);
    let head = npy(shape, order, &[]);
    let head = String::from_utf8_lossy(&head[10..]);
    assert_eq!(header.trim_end(), head.trim_end(), "{at}");
    let got: Vec<f32> = match order {
        Half => {
            let halves = bytes[end..].chunks(2);
            halves
                .map(|b| f16::from_le_bytes(b.try_into().unwrap()).to_f32())
                .collect()
        }
        _ => {
            let floats = bytes[end..].chunks(4);
            floats
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect()
        }
    };
    let near = |(got, wanted): (&f32, &f32)| (got - wanted).abs() <= 2e-6 * wanted.abs();
    assert!(
        got.len() == wanted.len() && got.iter().zip(wanted).all(near),
        "{at}\ngot {got:?}\nwant {wanted:?}"
    );
}

fn counted(from: i32, to: i32) -> Vec<f32> {
    (from..=to).map(|v| v as f32).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let nchw = || {
        vec![
            -1.0, 2.0, -3.0, -4.0, 5.0, -6.0, 7.0, -8.0, 9.0, -10.0, 11.0, -12.0,
        ]
    };
    let of_nchw = |w: &'static str, dw: &'static str, shape: &'static str| Case {
        chain: "prelu(weight=@w)",
        options: &[],
        inputs: vec![
            ("--x", "(2, 2, 1, 3)", C, nchw()),
            ("--dy", "(2, 2, 1, 3)", C, counted(1, 12)),
            (w, shape, C, vec![0.5, 0.25]),
        ],
        results: vec![
            (
                "--y",
                "(2, 2, 1, 3)",
                C,
                vec![
                    -0.5, 2.0, -1.5, -1.0, 5.0, -1.5, 7.0, -4.0, 9.0, -2.5, 11.0, -3.0,
                ],
            ),
            (
                "--dx",
                "(2, 2, 1, 3)",
                C,
                vec![0.5, 2.0, 1.5, 1.0, 5.0, 1.5, 7.0, 4.0, 9.0, 2.5, 11.0, 3.0],
            ),
            (dw, shape, C, vec![-74.0, -296.0]),
        ],
    };
    let square = |options, y: [f32; 4]| Case {
        chain: "prelu(weight=@w)",
        options,
        inputs: vec![
            ("--x", "(1, 2, 2)", C, vec![-1.0, -2.0, -3.0, -4.0]),
            ("--arg w", "(2,)", C, vec![0.5, 2.0]),
        ],
        results: vec![("--y", "(1, 2, 2)", C, y.to_vec())],
    };
    // The first numbers of Philox with a counter and key of zeros, as its authors publish them: 0x6627e8d5,
    // 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8. As fractions of 2^32 these are 0.399, 0.881, 0.736, 0.605.
    let drawn = |chain, options, shape, order, y: [f32; 4], dx: [f32; 4]| Case {
        chain,
        options,
        inputs: vec![
            ("--x", shape, order, vec![-1.0, -2.0, -3.0, -4.0]),
            ("--dy", shape, C, vec![1.0; 4]),
        ],
        results: vec![
            ("--y", shape, order, y.to_vec()),
            ("--dx", shape, order, dx.to_vec()),
        ],
    };
    let slopes = [1.399_046_4, 1.880_520_2, 1.735_712_8, 1.605_481_8];
    vec![
        of_nchw("--arg w", "--grad w", "(2,)"),
        of_nchw("--arg w", "--grad w", "(1, 2, 1, 1)"),
        // Channels last.
        Case {
            chain: "prelu(weight=@w)",
            options: &["--channel-axis", "-1"],
            inputs: vec![
                (
                    "--x",
                    "(1, 3, 2)",
                    C,
                    vec![-1.0, -2.0, -3.0, 4.0, 5.0, -6.0],
                ),
                ("--dy", "(1, 3, 2)", C, vec![1.0; 6]),
                ("--arg w", "(2,)", C, vec![0.5, 2.0]),
            ],
            results: vec![
                (
                    "--y",
                    "(1, 3, 2)",
                    C,
                    vec![-0.5, -4.0, -1.5, 4.0, 5.0, -12.0],
                ),
                ("--dx", "(1, 3, 2)", C, vec![0.5, 2.0, 0.5, 1.0, 1.0, 2.0]),
                ("--grad w", "(2,)", C, vec![-4.0, -8.0]),
            ],
        },
        // Where two axes are as long, the option decides.
        square(&["--channel-axis", "1"], [-0.5, -1.0, -6.0, -8.0]),
        square(&["--channel-axis", "-1"], [-0.5, -4.0, -1.5, -8.0]),
        // Per sample and channel.
        Case {
            chain: "swish(beta=@b)",
            options: &[],
            inputs: vec![
                (
                    "--x",
                    "(2, 2, 3)",
                    C,
                    vec![
                        -1.0, 2.0, -3.0, 0.5, -0.25, 4.0, 1.5, -2.0, 0.75, -6.0, 3.0, 1.0,
                    ],
                ),
                (
                    "--dy",
                    "(2, 2, 3)",
                    C,
                    vec![
                        1.0, -2.0, 0.5, 3.0, 1.0, 2.0, -1.0, 4.0, 0.25, 1.0, 2.0, -3.0,
                    ],
                ),
                ("--arg b", "(2, 2)", C, vec![1.0, 0.5, 2.0, -1.0]),
            ],
            results: vec![
                (
                    "--y",
                    "(2, 2, 3)",
                    C,
                    vec![
                        -0.268_941_42,
                        1.761_594_2,
                        -0.142_277_62,
                        0.281_088_25,
                        -0.117_197_66,
                        3.523_188_3,
                        1.428_861_2,
                        -0.035_972_42,
                        0.613_180_9,
                        -5.985_164,
                        0.142_277_62,
                        0.268_941_42,
                    ],
                ),
                (
                    "--dx",
                    "(2, 2, 3)",
                    C,
                    vec![
                        0.072_329_49,
                        -2.181_568_5,
                        -0.044_052_053,
                        1.871_130_1,
                        0.437_662_4,
                        2.181_568_5,
                        -1.088_104_1,
                        -0.210_658_46,
                        0.260_323_54,
                        1.012_326_4,
                        -0.176_208_21,
                        -0.216_988_46,
                    ],
                ),
                (
                    "--grad b",
                    "(2, 2)",
                    C,
                    vec![-0.440_041_78, 3.559_959_4, 0.201_929_54, 0.312_138_4],
                ),
            ],
        },
        // Shared, in any shape of ones; and gradients without dx.
        Case {
            chain: "scale(@s) | bias(@b)",
            options: &[],
            inputs: vec![
                ("--x", "(5,)", C, vec![-1.0, 2.0, -3.0, 4.0, 5.0]),
                ("--dy", "(5,)", C, counted(1, 5)),
                ("--arg s", "()", C, vec![0.5]),
                ("--arg b", "(1, 1)", C, vec![3.0]),
            ],
            results: vec![
                ("--y", "(5,)", C, vec![2.5, 4.0, 1.5, 5.0, 5.5]),
                ("--grad b", "(1, 1)", C, vec![15.0]),
                ("--grad s", "()", C, vec![35.0]),
            ],
        },
        // Of elements.
        Case {
            chain: "relu | gate(@g) | residual(@r)",
            options: &[],
            inputs: vec![
                ("--x", "(2, 2)", C, vec![-1.0, 2.0, 3.0, -4.0]),
                ("--dy", "(2, 2)", Fortran, vec![1.0, 3.0, 2.0, 4.0]),
                ("--arg r", "(2, 2)", Fortran, vec![10.0, 30.0, 20.0, 40.0]),
                ("--arg g", "(2, 2)", C, counted(2, 5)),
            ],
            results: vec![
                ("--y", "(2, 2)", C, vec![10.0, 26.0, 42.0, 40.0]),
                ("--dx", "(2, 2)", C, vec![0.0, 6.0, 12.0, 0.0]),
                ("--grad g", "(2, 2)", C, vec![0.0, 4.0, 9.0, 0.0]),
                ("--grad r", "(2, 2)", Fortran, vec![1.0, 3.0, 2.0, 4.0]),
            ],
        },
        // x and w in Fortran order, dy in C order: in C order x is -1 to -12 and w 0.5, 0.25, 2, 4.
        Case {
            chain: "prelu(weight=@w)",
            options: &[],
            inputs: vec![
                (
                    "--x",
                    "(2, 2, 3)",
                    Fortran,
                    vec![
                        -1.0, -7.0, -4.0, -10.0, -2.0, -8.0, -5.0, -11.0, -3.0, -9.0, -6.0, -12.0,
                    ],
                ),
                ("--dy", "(2, 2, 3)", C, counted(1, 12)),
                ("--arg w", "(2, 2)", Fortran, vec![0.5, 2.0, 0.25, 4.0]),
            ],
            results: vec![
                (
                    "--y",
                    "(2, 2, 3)",
                    Fortran,
                    vec![
                        -0.5, -14.0, -1.0, -40.0, -1.0, -16.0, -1.25, -44.0, -1.5, -18.0, -1.5,
                        -48.0,
                    ],
                ),
                (
                    "--dx",
                    "(2, 2, 3)",
                    Fortran,
                    vec![
                        0.5, 14.0, 1.0, 40.0, 1.0, 16.0, 1.25, 44.0, 1.5, 18.0, 1.5, 48.0,
                    ],
                ),
                (
                    "--grad w",
                    "(2, 2)",
                    Fortran,
                    vec![-14.0, -194.0, -77.0, -365.0],
                ),
            ],
        },
        // 1.01 is 1.0078125 in bf16, and 3 times that lies halfway between two.
        Case {
            chain: "scale(@s)",
            options: &["--dtype", "bf16"],
            inputs: vec![
                ("--x", "(3,)", C, vec![3.0, -1.0, 0.5]),
                ("--dy", "(3,)", C, vec![1.0, 2.0, 4.0]),
                ("--arg s", "(1,)", C, vec![1.01]),
            ],
            results: vec![
                ("--y", "(3,)", C, vec![3.03125, -1.007_812_5, 0.503_906_25]),
                ("--dx", "(3,)", C, vec![1.007_812_5, 2.015_625, 4.03125]),
                ("--grad s", "(1,)", C, vec![3.0]),
            ],
        },
        // 0.1 is 0.0999755859375 in f16, which has no -3997: gradients of operands are f32.
        Case {
            chain: "scale(@s)",
            options: &["--dtype", "f16"],
            inputs: vec![
                ("--x", "(3,)", Half, vec![1.0, 2.0, -4.0]),
                ("--dy", "(3,)", Half, vec![1.0, 1.0, 1000.0]),
                ("--arg s", "(1,)", C, vec![0.1]),
            ],
            results: vec![
                (
                    "--y",
                    "(3,)",
                    Half,
                    vec![0.099_975_586, 0.199_951_17, -0.399_902_34],
                ),
                (
                    "--dx",
                    "(3,)",
                    Half,
                    vec![0.099_975_586, 0.099_975_586, 100.0],
                ),
                ("--grad s", "(1,)", C, vec![-3997.0]),
            ],
        },
        // Without elements there are gradients all the same.
        Case {
            chain: "scale(@s) | residual(@r)",
            options: &[],
            inputs: vec![
                ("--x", "(0, 4)", C, vec![]),
                ("--dy", "(0, 4)", C, vec![]),
                ("--arg s", "(4,)", C, counted(1, 4)),
                ("--arg r", "(0, 4)", C, vec![]),
            ],
            results: vec![
                ("--y", "(0, 4)", C, vec![]),
                ("--dx", "(0, 4)", C, vec![]),
                ("--grad s", "(4,)", C, vec![0.0; 4]),
                ("--grad r", "(0, 4)", C, vec![]),
            ],
        },
        drawn(
            "dropout(0.5)",
            &[],
            "(4,)",
            C,
            [0.0, -4.0, -6.0, -8.0],
            [0.0, 2.0, 2.0, 2.0],
        ),
        // What an element draws does not depend on the order of the file: (0, 1) is the third in this one.
        drawn(
            "dropout(0.75)",
            &["--seed", "0", "--offset", "0"],
            "(2, 2)",
            Fortran,
            [0.0, 0.0, -12.0, 0.0],
            [0.0, 0.0, 4.0, 0.0],
        ),
        drawn(
            "rrelu(1, 2)",
            &[],
            "(2, 2)",
            C,
            [
                -slopes[0],
                -2.0 * slopes[1],
                -3.0 * slopes[2],
                -4.0 * slopes[3],
            ],
            slopes,
        ),
        // With operands beside it.
        Case {
            chain: "scale(@s) | dropout(0.75)",
            options: &[],
            inputs: vec![
                ("--x", "(2, 2)", C, counted(1, 4)),
                ("--dy", "(2, 2)", C, counted(5, 8)),
                ("--arg s", "(2,)", C, vec![10.0, 100.0]),
            ],
            results: vec![
                ("--y", "(2, 2)", C, vec![0.0, 800.0, 0.0, 0.0]),
                ("--dx", "(2, 2)", C, vec![0.0, 2400.0, 0.0, 0.0]),
                ("--grad s", "(2,)", C, vec![0.0, 48.0]),
            ],
        },
    ]
}
