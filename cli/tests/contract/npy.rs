//! `nonlin run` on files, with the reference on the CPU.

use crate::common::{CHAIN, KINDS, Ran, data, nonlin};
use nonlin::half::{bf16, f16};
use nonlin::{Chain, Element, reference};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with files to run on.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }
}

/// `nonlin run CHAIN --cpu` with files.
fn run(files: &[(&str, &Path)]) -> Ran {
    let mut args = vec!["run", CHAIN, "--cpu"];
    for (option, path) in files {
        args.extend([*option, path.to_str().unwrap()]);
    }
    nonlin(&args)
}

/// A .npy file of version 1.0 with this header text and data.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let length = header.len() as u16;
    [
        b"\x93NUMPY\x01\x00",
        &length.to_le_bytes()[..],
        header.as_bytes(),
        data,
    ]
    .concat()
}

fn header(descr: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n")
}

#[test]
fn results_are_byte_for_byte_what_numpy_writes() {
    for kind in KINDS {
        let folder = Folder::new();
        let (y, dx) = (folder.path("y.npy"), folder.path("dx.npy"));
        let (x, dy) = (data(kind, "x"), data(kind, "dy"));
        let ran = run(&[("--x", &x), ("--y", &y), ("--dy", &dy), ("--dx", &dx)]);
        assert_eq!(ran.code, Some(0), "{kind}: {}", ran.stderr);
        for (got, what) in [(y, "y"), (dx, "dx")] {
            assert_eq!(
                fs::read(got).unwrap(),
                fs::read(data(kind, what)).unwrap(),
                "{kind} {what}"
            );
        }
        let notes = if kind == "f64" {
            note(&x, "f64", "f32") + &note(&dy, "f64", "f32")
        } else {
            String::new()
        };
        assert_eq!(ran.stderr, notes, "{kind}");
        assert_eq!(folder.names(), ["dx.npy", "y.npy"], "{kind}");
    }
}

#[test]
fn results_read_back() {
    let folder = Folder::new();
    let y = folder.path("y.npy");
    run(&[("--x", &data("fortran", "x")), ("--y", &y)]).fine();
    let file = npyz::NpyFile::new(fs::File::open(y).unwrap()).unwrap();
    assert_eq!(
        (file.shape(), file.order()),
        (&[3, 4][..], npyz::Order::Fortran)
    );
    assert_eq!(file.dtype().descr(), "'<f4'");
    assert_eq!(file.into_vec::<f32>().unwrap().len(), 12);
}

/// What stands behind the header of a .npy file of version 1.0.
fn contents(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let header = u16::from_le_bytes([bytes[8], bytes[9]]);
    bytes[10 + usize::from(header)..].to_vec()
}

fn note(path: &Path, held: &str, dtype: &str) -> String {
    let path = path.display();
    format!("nonlin: note: {path} holds {held}; it is converted to {dtype}\n")
}

/// Runs on a file of f64 and on one of f32 with a dtype, and compares with the rounded reference.
fn rounded_once<T: Element>(descr: &str, encode: fn(T) -> Vec<u8>) {
    let chain: Chain = CHAIN.parse().unwrap();
    let dtype = T::DTYPE.name();
    let folder = Folder::new();
    // In f32 this value lies halfway between two of 16 bits; in f64 it does not.
    let near = 1.0 + 2f64.powi(-9) + 2f64.powi(-11) + 2f64.powi(-40);
    let values = [1.5, -0.1, 1e6, near, f64::NAN, f64::INFINITY];
    let f64s = values.map(f64::to_le_bytes).concat();
    let f32s = values.map(|v| (v as f32).to_le_bytes()).concat();
    let files = [
        ("f64", npy(&header("<f8", "(2, 3)"), &f64s), values),
        (
            "f32",
            npy(&header("<f4", "(2, 3)"), &f32s),
            values.map(|v| f64::from(v as f32)),
        ),
    ];
    for (held, file, values) in files {
        let x = folder.write("x.npy", &file);
        let (y, dx) = (folder.path("y.npy"), folder.path("dx.npy"));
        let mut args = vec!["run", CHAIN, "--cpu", "--dtype", dtype];
        for (option, path) in [("--x", &x), ("--dy", &x), ("--y", &y), ("--dx", &dx)] {
            args.extend([option, path.to_str().unwrap()]);
        }
        let ran = nonlin(&args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.stderr, note(&x, held, dtype).repeat(2));
        let x = values.map(T::from_f64);
        let expected = [
            (y, reference::forward(&chain, &x).unwrap()),
            (dx, reference::backward(&chain, &x, &x).unwrap()),
        ];
        for (path, values) in expected {
            let bytes: Vec<u8> = values
                .into_iter()
                .map(T::from_f64)
                .flat_map(encode)
                .collect();
            assert_eq!(contents(&path), bytes, "{held} as {dtype}");
            let file = npyz::NpyFile::new(fs::File::open(path).unwrap()).unwrap();
            assert_eq!(
                (file.shape(), file.dtype().descr().as_str()),
                (&[2, 3][..], descr)
            );
        }
    }
}

#[test]
fn f16_is_written_as_f16() {
    rounded_once::<f16>("'<f2'", |v| v.to_le_bytes().to_vec());
}

#[test]
fn bf16_is_written_as_f32() {
    rounded_once::<bf16>("'<f4'", |v| v.to_f32().to_le_bytes().to_vec());
}

/// bfloat16 as ml_dtypes saves it, read and written.
#[test]
fn bf16_under_the_name_of_two_bytes() {
    let values = [1.0, -0.5, 3e38, f32::NEG_INFINITY, 1e-40, f32::NAN].map(bf16::from_f32);
    let bytes = values.map(bf16::to_le_bytes).concat();
    let folder = Folder::new();
    let y = folder.path("y.npy");
    for descr in ["<V2", "|V2"] {
        let x = folder.write("x.npy", &npy(&header(descr, "(6,)"), &bytes));
        let [from, to] = [&x, &y].map(|path| path.to_str().unwrap());
        let args = ["run", "identity", "--cpu", "--x", from, "--y", to];
        let ran = nonlin(&[&args[..], &["--dtype", "bf16", "--bf16-as", "V2"]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert_eq!(contents(&y), bytes, "{descr}");
        let text = String::from_utf8_lossy(&fs::read(&y).unwrap()).into_owned();
        assert!(text.contains("{'descr': '<V2', "), "{text}");
        assert_eq!(nonlin(&args).stderr, note(&x, "bf16", "f32"));
        let wide = values.map(|v| v.to_f32().to_le_bytes()).concat();
        assert_eq!(contents(&y), wide, "{descr}");
    }
    let x = folder.path("x.npy");
    let [from, to] = [&x, &y].map(|path| path.to_str().unwrap());
    let args = [
        "run",
        "relu",
        "--cpu",
        "--x",
        from,
        "--y",
        to,
        "--bf16-as",
        "V2",
    ];
    nonlin(&args).refused("--bf16-as is for --dtype bf16; the dtype is f32");
}

/// Byte orders that say "the reader's", and the long integers of Python 2.
#[test]
fn other_writers_headers() {
    let values = [0.0f32, 1.5, -2.0, 3.0, 4.0, 5.0];
    let bytes = values.map(f32::to_ne_bytes).concat();
    let folder = Folder::new();
    let y = folder.path("y.npy");
    for (descr, shape) in [("=f4", "(2, 3)"), ("|f4", "(2, 3)"), ("<f4", "(2L, 3L)")] {
        let x = folder.write("x.npy", &npy(&header(descr, shape), &bytes));
        let [from, to] = [&x, &y].map(|path| path.to_str().unwrap());
        nonlin(&["run", "identity", "--cpu", "--x", from, "--y", to]).fine();
        assert_eq!(contents(&y), bytes, "{descr} {shape}");
    }
}

/// After training nothing is dropped; in training all of it can be.
#[test]
fn evaluation_and_a_dropout_of_all() {
    let folder = Folder::new();
    let values = [-1.0f32, 2.0, f32::INFINITY];
    let file = npy(
        &header("<f4", "(3,)"),
        &values.map(f32::to_le_bytes).concat(),
    );
    let (x, y) = (folder.write("x.npy", &file), folder.path("y.npy"));
    let [from, to] = [&x, &y].map(|path| path.to_str().unwrap());
    let run = |chain: &str, options: &[&str]| {
        let args = ["run", chain, "--cpu", "--x", from, "--y", to];
        nonlin(&[&args[..], options].concat())
    };
    for (chain, options, wanted) in [
        ("dropout(0.5)", &["--eval"][..], values),
        (
            "rrelu(0.25, 0.75) | dropout(1)",
            &["--eval"],
            [-0.5, 2.0, f32::INFINITY],
        ),
        ("dropout(1)", &[], [0.0; 3]),
    ] {
        run(chain, options).fine();
        assert_eq!(
            contents(&y),
            wanted.map(f32::to_le_bytes).concat(),
            "{chain}"
        );
    }
    run("relu", &["--eval"]).refused("--eval is for chains with dropout or rrelu; relu has none");
}

#[test]
fn a_dash_is_no_file() {
    let x = data("c", "x");
    let x = x.to_str().unwrap();
    let folder = Folder::new();
    let y = folder.path("y.npy");
    let y = y.to_str().unwrap();
    for args in [
        &["run", "relu", "--cpu", "--x", "-", "--y", y][..],
        &["run", "relu", "--cpu", "--x", x, "--y", "-"],
        &[
            "run", "bias(@b)", "--cpu", "--x", x, "--y", y, "--arg", "b=-",
        ],
        &["plot", "relu", "--out", "-"],
        &["wgsl", "relu", "--out", "-"],
    ] {
        let ran = nonlin(args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(
            ran.stderr
                .contains("standard input and output are not used"),
            "{}",
            ran.stderr
        );
    }
    assert!(folder.names().is_empty());
}

#[test]
fn files_of_f16_are_read() {
    let values = [1.0, -0.5, 65504.0, f32::NEG_INFINITY, 1e-7].map(f16::from_f32);
    let folder = Folder::new();
    let little = npy(
        &header("<f2", "(5,)"),
        &values.map(f16::to_le_bytes).concat(),
    );
    let big = npy(
        &header(">f2", "(5,)"),
        &values.map(f16::to_be_bytes).concat(),
    );
    let y = folder.path("y.npy");
    for file in [little, big] {
        let x = folder.write("x.npy", &file);
        for dtype in ["f32", "f16", "bf16"] {
            let [from, to] = [&x, &y].map(|path| path.to_str().unwrap());
            let args = ["--x", from, "--y", to, "--dtype", dtype];
            let ran = nonlin(&[&["run", "identity", "--cpu"], &args[..]].concat());
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let (note, expected) = match dtype {
                "f32" => (
                    note(&x, "f16", dtype),
                    values.map(|v| v.to_f32().to_le_bytes()).concat(),
                ),
                "f16" => (String::new(), values.map(f16::to_le_bytes).concat()),
                _ => {
                    let rounded = values.map(|v| bf16::from_f32(v.to_f32()).to_f32());
                    (
                        note(&x, "f16", dtype),
                        rounded.map(f32::to_le_bytes).concat(),
                    )
                }
            };
            assert_eq!((ran.stderr, contents(&y)), (note, expected), "{dtype}");
        }
    }
}

#[test]
fn either_result_by_itself() {
    let folder = Folder::new();
    let (x, dy, dx) = (data("c", "x"), data("c", "dy"), folder.path("dx.npy"));
    let text = run(&[("--x", &x), ("--dy", &dy), ("--dx", &dx)]).fine();
    assert!(
        text.contains("(2, 3, 4) f32  backward of scale(0.5) | silu"),
        "{text}"
    );
    assert_eq!(folder.names(), ["dx.npy"]);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    let bytes = [0; 24];
    let cases: &[(Vec<u8>, &str)] = &[
        (b"".into(), "is not a .npy file"),
        (b"x,y\n1,2\n".into(), "is not a .npy file"),
        (b"\x93NUMPY".into(), "is not a .npy file"),
        (
            b"PK\x03\x04 and more".into(),
            "is not a .npy file; it is a zip archive, as .npz files are",
        ),
        (b"\x93NUMPY\x01\x00".into(), "ends within its header"),
        (
            b"\x93NUMPY\x01\x00\x76\x00{'descr'".into(),
            "ends within its header",
        ),
        (
            b"\x93NUMPY\x09\x01\x76\x00".into(),
            "is in version 9.1 of the .npy format; 1.0 to 3.0 are known",
        ),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".into(),
            "has a header of 4294967295 bytes, which no array of floats needs",
        ),
        (
            npy("{'descr': }", &bytes),
            "has a header that cannot be read: {'descr': }",
        ),
        (
            npy(&"(".repeat(60_000), &bytes),
            &format!("has a header that cannot be read: {}", "(".repeat(80)),
        ),
        (
            npy(&header("<f4", &format!("({})", "1,".repeat(65))), &bytes),
            "has 65 dimensions; 64 are allowed",
        ),
        (
            npy(&header("<i4", "(6,)"), &bytes),
            "holds int32; f16, bf16, f32 or f64 is needed",
        ),
        (
            npy(&header("<f16", "(1,)"), &bytes),
            "holds f128; f16, bf16, f32 or f64 is needed",
        ),
        (
            npy(&header("|O", "(6,)"), &bytes),
            "holds Python objects; f16, bf16, f32 or f64 is needed",
        ),
        (
            npy(
                "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}",
                &bytes,
            ),
            "holds records; f16, bf16, f32 or f64 is needed",
        ),
        (
            npy(&header("<f4", "(7,)"), &bytes),
            "is truncated: (7,) of f32 needs 28 bytes of data, and 24 are there",
        ),
        (
            npy(&header(">f8", "(2, 2)"), &bytes),
            "is truncated: (2, 2) of big-endian f64 needs 32 bytes of data, and 24 are there",
        ),
        (
            npy(&header("<f4", "()"), &bytes),
            "is too long: () of f32 needs 4 bytes of data, and 24 are there",
        ),
        (
            npy(&header("<f4", "(0, 3)"), &bytes),
            "is too long: (0, 3) of f32 needs 0 bytes of data, and 24 are there",
        ),
        (
            npy(&header("<f4", "(1000000000000000,)"), &bytes),
            "is truncated: (1000000000000000,) of f32 needs 4000000000000000 bytes of data, \
             and 24 are there",
        ),
        (
            npy(&header("<f4", "(4294967296, 4294967296)"), &bytes),
            "is truncated: (4294967296, 4294967296) of f32 needs more than 2^64 bytes",
        ),
        (
            npy(&header("<f4", "(4611686018427387904,)"), &bytes),
            "is truncated: (4611686018427387904,) of f32 needs more than 2^64 bytes",
        ),
    ];
    let y = folder.path("y.npy");
    for (contents, message) in cases {
        let x = folder.write("x.npy", contents);
        run(&[("--x", &x), ("--y", &y)]).refused(&format!("{} {message}", x.display()));
        assert_eq!(folder.names(), ["x.npy"], "{message}");
    }
}

#[test]
fn dimensions_beyond_u64_beside_a_zero_are_an_empty_array() {
    let folder = Folder::new();
    let x = folder.write(
        "x.npy",
        &npy(&header("<f4", "(0, 18446744073709551615, 2)"), b""),
    );
    run(&[("--x", &x), ("--y", &folder.path("y.npy"))]).fine();
}

#[test]
fn a_file_that_is_not_there() {
    let folder = Folder::new();
    let x = folder.path("no.npy");
    let Ran { code, stderr, .. } = run(&[("--x", &x), ("--y", &folder.path("y.npy"))]);
    assert_eq!(code, Some(2));
    let message = format!("nonlin: cannot read {}: ", x.display());
    assert!(stderr.starts_with(&message), "{stderr}");
    assert!(folder.names().is_empty());
}

#[test]
fn a_failure_leaves_the_files_that_were_there() {
    let folder = Folder::new();
    let (y, dx) = (
        folder.write("y.npy", b"old y"),
        folder.write("dx.npy", b"old dx"),
    );
    let (x, dy) = (data("c", "x"), data("fortran", "dy"));
    let (shown, other) = (x.display(), dy.display());
    run(&[("--x", &x), ("--y", &y), ("--dy", &dy), ("--dx", &dx)]).refused(&format!(
        "{shown} has the shape (2, 3, 4) but {other} has (3, 4); they must agree"
    ));
    // The second result cannot be written, so the first must not appear either.
    let nowhere = folder.path("no/dx.npy");
    let ran = run(&[
        ("--x", &x),
        ("--y", &y),
        ("--dy", &data("c", "dy")),
        ("--dx", &nowhere),
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(fs::read(&y).unwrap(), b"old y");
    assert_eq!(fs::read(&dx).unwrap(), b"old dx");
    assert_eq!(folder.names(), ["dx.npy", "y.npy"]);
}

#[test]
fn an_old_result_is_replaced() {
    let folder = Folder::new();
    let y = folder.write("y.npy", b"old");
    run(&[("--x", &data("c", "x")), ("--y", &y)]).fine();
    assert_eq!(fs::read(&y).unwrap(), fs::read(data("c", "y")).unwrap());
}

#[test]
fn results_do_not_take_the_place_of_other_files() {
    let folder = Folder::new();
    let x = folder.write("x.npy", &fs::read(data("c", "x")).unwrap());
    let dy = folder.write("dy.npy", &fs::read(data("c", "dy")).unwrap());
    let same = folder.path("./x.npy");
    let result = folder.path("y.npy");
    let refused = |files: &[(&str, &Path)], options: &str, path: &Path| {
        run(files).refused(&format!("{options} are the same file, {}", path.display()));
    };
    refused(&[("--x", &x), ("--y", &same)], "--y and --x", &same);
    refused(
        &[("--x", &x), ("--dy", &dy), ("--dx", &dy)],
        "--dx and --dy",
        &dy,
    );
    let both: &[(&str, &Path)] = &[
        ("--x", &x),
        ("--dy", &dy),
        ("--y", &result),
        ("--dx", &result),
    ];
    refused(both, "--dx and --y", &result);
    assert_eq!(folder.names(), ["dy.npy", "x.npy"]);
}

#[test]
#[cfg(unix)]
fn results_are_files_like_others() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let (y, link) = (folder.write("y.npy", b"old"), folder.path("link.npy"));
    std::os::unix::fs::symlink(&y, &link).unwrap();
    run(&[("--x", &data("c", "x")), ("--y", &link)]).fine();
    // A link stays one, and the file behind it is as readable as one made by other programs.
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&y).unwrap(), fs::read(data("c", "y")).unwrap());
    let other = folder.write("other", b"");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&y), mode(&other));
    // A device is no file.
    run(&[("--x", &data("c", "x")), ("--y", Path::new("/dev/null"))])
        .refused("cannot write /dev/null: it is not a file");
}
