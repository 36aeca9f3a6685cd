//! The shader files, without a GPU: each is WGSL that stands alone, and the files, the list of activations
//! and what uses what agree. (That whole kernels translate to every backend is tested in src/wgsl.)

use naga::{Module, Scalar, TypeInner};
use nonlin::Activation;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn shaders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")
}

/// Every shader file: its path below shaders/, with forward slashes, and its text.
fn files() -> Vec<(String, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(shaders().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}{}", entry.file_name().to_str().unwrap());
            match entry.path().is_dir() {
                true => folders.push(name + "/"),
                false => files.push((name, std::fs::read_to_string(entry.path()).unwrap())),
            }
        }
    }
    assert!(files.len() >= 20, "the shaders are where they were");
    files
}

/// Parses and validates WGSL.
fn validated(name: &str, source: &str) -> Module {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string_with_path(source, name)));
    let flags = naga::valid::ValidationFlags::all();
    naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string_with_path(source, name)));
    module
}

#[test]
fn every_file_validates_alone() {
    for (name, source) in files() {
        validated(&name, &source);
    }
}

#[test]
fn every_file_satisfies_tint() {
    for (name, _) in files() {
        let run = std::process::Command::new("tint")
            .args(["--format", "wgsl"])
            .arg(shaders().join(&name))
            .output();
        // tint is no part of a usual installation.
        let Ok(run) = run else { return };
        assert!(
            run.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

#[test]
fn files_and_list_agree() {
    let stems = files();
    let stems: BTreeSet<_> = stems
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("act/")?.strip_suffix(".wgsl"))
        .collect();
    let names: BTreeSet<_> = Activation::ALL.iter().map(Activation::name).collect();
    assert_eq!(stems, names);
}

/// `act_<name>` and `act_<name>_dx` take x and the parameters by name, all f32, and return f32.
#[test]
fn functions_are_as_promised() {
    let is_f32 = |module: &Module, ty| module.types[ty].inner == TypeInner::Scalar(Scalar::F32);
    for activation in Activation::ALL {
        let name = activation.name();
        let source = std::fs::read_to_string(shaders().join(format!("act/{name}.wgsl"))).unwrap();
        let module = validated(name, &source);
        for function in [format!("act_{name}"), format!("act_{name}_dx")] {
            let (_, found) = module
                .functions
                .iter()
                .find(|(_, f)| f.name.as_ref() == Some(&function))
                .unwrap_or_else(|| panic!("shaders/act/{name}.wgsl has no {function}"));
            let arguments: Vec<_> = found
                .arguments
                .iter()
                .filter_map(|a| a.name.as_deref())
                .collect();
            let promised: Vec<_> = std::iter::once("x")
                .chain(activation.parameters().iter().copied())
                .collect();
            assert_eq!(arguments, promised, "{function}");
            assert!(
                found.arguments.iter().all(|a| is_f32(&module, a.ty)),
                "{function}"
            );
            assert!(
                found.result.as_ref().is_some_and(|r| is_f32(&module, r.ty)),
                "{function}"
            );
        }
    }
}

/// What drivers get wrong (see ARCHITECTURE.md): built-ins that overflow or have no digits near zero,
/// comparisons that are meant to find NaN, and branches, which `&&` and `||` are.
#[test]
fn no_file_uses_what_drivers_get_wrong() {
    let forbidden = [
        "tanh",
        "sinh",
        "cosh",
        "pow",
        "exp",
        "exp2",
        "log",
        "log2",
        "fma",
        "quantizeToF16",
    ];
    for (name, source) in files() {
        let code: String = source
            .lines()
            .map(|l| l.split("//").next().unwrap_or("").to_owned() + "\n")
            .collect();
        assert!(!code.contains("!="), "{name} compares with !=");
        for (branch, instead) in [("&&", "&"), ("||", "|")] {
            assert!(
                !code.contains(branch),
                "{name}: {branch} is a branch; {instead} serves"
            );
        }
        let called = code
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '('))
            .filter_map(|token| token.split_once('(').map(|(callee, _)| callee.to_owned()));
        for callee in called {
            assert!(
                !forbidden.contains(&callee.as_str()),
                "{name} calls {callee}"
            );
        }
    }
}

/// A file's declaration without its body: of a function its whole signature, of a constant its type, whether or not it is
/// an override, of a struct its fields.
fn declaration(lines: &[&str]) -> String {
    let first = lines[0];
    if !first.starts_with("struct ") {
        return first
            .split(['{', '='])
            .next()
            .unwrap_or_default()
            .trim()
            .replace("override ", "const ");
    }
    let end = lines
        .iter()
        .position(|line| line.contains('}'))
        .unwrap_or(0);
    let text = lines[..=end].join(" ").replace('}', " ");
    let code = text.split("//").next().unwrap_or_default();
    let words: Vec<_> = code.split_whitespace().collect();
    words.join(" ").trim_end_matches(',').to_owned()
}

/// The files that a file asks for, without the names under which it takes them.
fn uses(source: &str) -> Vec<String> {
    let asked = source.lines().filter_map(|l| l.strip_prefix("//#use "));
    let file = |asked: &str| asked.split(" as ").next().unwrap_or_default().trim().into();
    asked.map(file).collect()
}

/// What a file declares itself.
fn declarations(source: &str) -> impl Iterator<Item = String> {
    let lines: Vec<_> = source.lines().collect();
    let is_own = |line: &str| {
        let kinds = ["fn ", "struct ", "alias ", "const ", "override "];
        kinds.iter().any(|kind| line.starts_with(kind)) && !line.ends_with("//#stub")
    };
    let own = (0..lines.len()).filter(|at| is_own(lines[*at]));
    let own: Vec<_> = own.map(|at| declaration(&lines[at..])).collect();
    own.into_iter()
}

/// Whether a declaration is what another says, maybe under another name: files that have `it` in them are taken under
/// names that Rust gives.
fn stands_behind(real: &str, stub: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let (real_words, stub_words) = (
        real.split_inclusive(|c| !is_part(c)),
        stub.split_inclusive(|c| !is_part(c)),
    );
    let (real_words, stub_words): (Vec<_>, Vec<_>) = (real_words.collect(), stub_words.collect());
    let mut it: Option<String> = None;
    real_words.len() == stub_words.len()
        && real_words.iter().zip(stub_words).all(|(real, stub)| {
            let begun = ["it", "It", "IT"].iter().find_map(|it| {
                let rest = real.strip_prefix(it)?;
                let is_whole = !rest.starts_with(|c: char| c.is_lowercase() || c.is_numeric());
                is_whole.then_some(rest)
            });
            let Some(name) = begun.and_then(|rest| stub.strip_suffix(rest)) else {
                return *real == stub;
            };
            *it.get_or_insert(name.to_lowercase()) == name.to_lowercase()
        })
}

/// A `//#use` names a file that is there; a stub is declared as what stands behind it is, in the used files or, where
/// Rust chooses the file, in one of the others; and no file in math/ is left that nothing uses. (What Rust brings to
/// sweeps is held by a test in src/wgsl.)
#[test]
fn uses_and_stubs_agree() {
    let files = files();
    let text = |name: &str| {
        let found = files.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.as_str())
    };
    let all: BTreeSet<_> = files.iter().flat_map(|(_, s)| declarations(s)).collect();
    let (mut used, mut missing) = (BTreeSet::new(), Vec::new());
    for (name, source) in &files {
        let mut reach: Vec<String> = uses(source);
        let mut at = 0;
        while at < reach.len() {
            let source = text(&reach[at]).unwrap_or_else(|| panic!("{name} uses {}", reach[at]));
            reach.extend(uses(source));
            at += 1;
        }
        let near: BTreeSet<_> = reach
            .iter()
            .flat_map(|file| declarations(text(file).unwrap_or_default()))
            .collect();
        let is_chosen = name.starts_with("layers/") || name.starts_with("io/");
        let stubs = source.lines().map(str::trim_end);
        let stubs = stubs.filter(|l| l.ends_with("//#stub") && !l.starts_with('@'));
        for stub in stubs.filter(|_| !name.starts_with("sweep/")) {
            // A dtype's functions are taken under the dtype's name.
            let wanted = declaration(&[stub]).replace("dtype_", "f32_");
            let head = |text: &str| {
                text.split(['(', '{', ':'])
                    .next()
                    .map(str::trim)
                    .map(str::to_owned)
            };
            let is_near = near.iter().any(|real| head(real) == head(&wanted));
            let from = if is_chosen && !is_near { &all } else { &near };
            let is_known = from
                .iter()
                .any(|real| stands_behind(real, &wanted) | stands_behind(&wanted, real));
            if !is_known {
                missing.push(format!("{name}: nothing stands behind {stub}"));
            }
        }
        used.extend(reach);
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    // Kernels of random steps begin with this one: no activation uses it.
    used.insert("math/philox.wgsl".into());
    for (name, _) in files.iter().filter(|(name, _)| name.starts_with("math/")) {
        assert!(used.contains(name), "nothing uses {name}");
    }
}

#[test]
fn declarations_are_told_apart() {
    let real = [
        "struct Exp {",
        "    s: f32, // of 1 + s",
        "    k: i32,",
        "}",
    ];
    let real = real.map(|line| line.split(" //").next().unwrap());
    assert_eq!(
        declaration(&real),
        declaration(&["struct Exp { s: f32, k: i32 } //#stub"])
    );
    for wrong in [
        "struct Exp { s: f32 } //#stub",
        "struct Exp { s: f32, k: u32 } //#stub",
    ] {
        assert_ne!(declaration(&real), declaration(&[wrong]));
    }
    let real = declaration(&["fn m_ldexp(v: f32, k: i32) -> f32 {"]);
    assert_eq!(
        real,
        declaration(&["fn m_ldexp(v: f32, k: i32) -> f32 { return v; } //#stub"])
    );
    assert_ne!(
        real,
        declaration(&["fn m_ldexp(v: f32, k: u32) -> f32 { return v; } //#stub"])
    );
}

#[test]
fn names_are_seen_through() {
    let real = "fn it_row(s: ItStrip, i: u32) -> ItRow";
    assert!(stands_behind(real, real));
    assert!(stands_behind(real, "fn x_row(s: XStrip, i: u32) -> XRow"));
    for wrong in [
        "fn x_row(s: XStrip, i: i32) -> XRow",
        "fn x_row(s: YStrip, i: u32) -> XRow",
        "fn x_row(s: XStrip, i: u32, j: u32) -> XRow",
    ] {
        assert!(!stands_behind(real, wrong), "{wrong}");
    }
}
