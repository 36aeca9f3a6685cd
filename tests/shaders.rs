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

/// The variables that a text declares within a loop without a value.
fn without_value(source: &str) -> Vec<&str> {
    let (mut depth, mut loops, mut found) = (0, Vec::new(), Vec::new());
    for line in source.lines() {
        let code = line.split("//").next().unwrap_or_default().trim();
        if ["for ", "while ", "loop "]
            .iter()
            .any(|word| code.starts_with(word))
        {
            loops.push(depth);
        }
        if code.starts_with("var ") && !code.contains('=') && !loops.is_empty() {
            found.push(code);
        }
        depth += code.matches('{').count();
        depth -= code.matches('}').count();
        loops.retain(|outer| depth > *outer);
    }
    found
}

/// WGSL says that such a variable is zero each time it is reached. In Chromium 156 on Vulkan one of a struct is what the turn
/// before has left.
#[test]
fn variables_in_loops_have_values() {
    for (name, source) in files() {
        assert_eq!(without_value(&source), [""; 0], "{name}");
    }
    let text = "fn f() {\n    var a: A;\n    for (;;) {\n        var b: B;\n        var c = C(); // d\n    }\n    var e: E;\n}";
    assert_eq!(without_value(text), ["var b: B;"]);
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

/// So do `wide_<name>` and `wide_<name>_dx` of shaders/wide/act, of which every activation has a file, in numbers of 64
/// digits.
#[test]
fn wide_functions_are_as_promised() {
    let files = files();
    let stems = files.iter().filter_map(|(name, text)| {
        let stem = name.strip_prefix("wide/act/")?.strip_suffix(".wgsl")?;
        Some((stem, text))
    });
    let stems: Vec<_> = stems.collect();
    assert_eq!(stems.len(), Activation::ALL.len());
    for (stem, text) in stems {
        let activation = Activation::by_name(stem).unwrap();
        let parameters = activation.parameters().iter();
        let parameters: String = parameters.map(|name| format!(", {name}: Wide")).collect();
        for function in [format!("wide_{stem}"), format!("wide_{stem}_dx")] {
            let head = format!("fn {function}(x: Wide{parameters}) -> Wide {{");
            assert!(
                text.contains(&head),
                "shaders/wide/act/{stem}.wgsl has no {head}"
            );
        }
    }
}

/// A file's declaration without its body: of a function its whole signature, of a constant its type, of a struct its
/// fields.
fn declaration(lines: &[&str]) -> String {
    let first = lines[0];
    if !first.starts_with("struct ") {
        return first
            .split(['{', '='])
            .next()
            .unwrap_or_default()
            .trim()
            .into();
    }
    let end = lines
        .iter()
        .position(|line| line.contains('}'))
        .unwrap_or(0);
    let lines = lines[..=end].iter();
    let code: Vec<_> = lines.filter_map(|line| line.split("//").next()).collect();
    let code = code.join(" ").replace('}', " ");
    let words: Vec<_> = code.split_whitespace().collect();
    words.join(" ").trim_end_matches(',').to_owned()
}

/// A `//#use` names a file that is there; a stub is declared as what stands behind it in the used files is; and no
/// file in math/ is left that nothing uses. (What Rust brings to sweeps is held by a test in src/wgsl; what it
/// puts together for layers, by the next one.)
#[test]
fn uses_and_stubs_agree() {
    let files = files();
    let text = |name: &str| {
        let found = files.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.as_str())
    };
    let uses = |source: &str| -> Vec<String> {
        let lines = source.lines();
        let used = lines.filter_map(|l| l.strip_prefix("//#use "));
        let file = |used: &str| {
            used.split(" as ")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        used.map(file).collect()
    };
    let mut used = BTreeSet::new();
    for (name, source) in &files {
        let mut reach: Vec<String> = uses(source);
        let mut at = 0;
        while at < reach.len() {
            let source = text(&reach[at]).unwrap_or_else(|| panic!("{name} uses {}", reach[at]));
            reach.extend(uses(source));
            at += 1;
        }
        let mut real = BTreeSet::new();
        for file in &reach {
            let lines: Vec<_> = text(file).unwrap_or_default().lines().collect();
            let declared = (0..lines.len()).filter(|at| !lines[*at].ends_with("//#stub"));
            real.extend(declared.map(|at| declaration(&lines[at..])));
        }
        for stub in source.lines().filter(|l| l.trim_end().ends_with("//#stub")) {
            let is_known = real.contains(&declaration(&[stub]));
            let elsewhere = ["sweep/", "slots/", "rows/", "layers/", "io/"];
            assert!(
                is_known || elsewhere.iter().any(|folder| name.starts_with(folder)),
                "{name}: nothing stands behind {stub}"
            );
        }
        used.extend(reach);
    }
    // Chains use it: no activation does.
    used.insert("math/nan.wgsl".to_owned());
    for (name, _) in files.iter().filter(|(name, _)| name.starts_with("math/")) {
        assert!(used.contains(name), "nothing uses {name}");
    }
}

/// What in a file may stand for another name: it is taken under that ([`Text::file_as`] in src/wgsl/files.rs).
const PLACEHOLDERS: [&str; 7] = ["it", "dtype", "buffer", "region", "window", "bn", "bias"];

/// Whether declarations are the same where placeholders in either stand for what the other has: whole names, or
/// beginnings before `_`; in capitals likewise, and with a capital before another. An override that is set is a const.
fn agree(one: &str, two: &str) -> bool {
    let tokens = |text: &str| -> Vec<String> {
        let spaced = text.replace(|c: char| !(c.is_alphanumeric() || c == '_'), " ");
        let tokens = spaced.split_whitespace();
        tokens.map(|t| t.replace("override", "const")).collect()
    };
    let (one, two) = (tokens(one), tokens(two));
    let stands_for = |one: &str, two: &str| {
        PLACEHOLDERS.iter().any(|name| {
            let capital = name[..1].to_uppercase() + &name[1..];
            [(*name).to_owned(), name.to_uppercase(), capital]
                .iter()
                .any(|name| {
                    let rest = one.strip_prefix(name.as_str());
                    rest.is_some_and(|rest| {
                        let is_part = rest.starts_with(|c: char| c == '_' || c.is_uppercase());
                        (rest.is_empty() || is_part) && two.ends_with(rest)
                    })
                })
        })
    };
    let mut pairs = one.iter().zip(&two);
    one.len() == two.len()
        && pairs.all(|(one, two)| one == two || stands_for(one, two) || stands_for(two, one))
}

/// The files that may stand behind a stub of a file in layers/ or io/. FReLU shares none with the other layers.
fn beside<'a>(name: &str, files: &'a [(String, String)]) -> Vec<&'a (String, String)> {
    let is_frelu = |name: &str| name.starts_with("layers/frelu/");
    let files = files.iter().filter(|(other, _)| {
        let folder = other.rsplit_once('/').map(|(folder, _)| folder);
        let is_shared =
            folder.is_some_and(|folder| ["act", "io", "math", "layers"].contains(&folder));
        let is_layer = other.starts_with("layers/") && is_frelu(other) == is_frelu(name);
        is_shared || (is_layer && name.starts_with("layers/"))
    });
    files.collect()
}

/// Behind a stub in layers/ and io/ stands what some file declares; of a function, every one of that name that may be
/// taken is declared so.
#[test]
fn stubs_of_layers_agree() {
    let files = files();
    let is_tried = |name: &str| name.starts_with("layers/") || name.starts_with("io/");
    let mut missing = Vec::new();
    for (name, source) in files.iter().filter(|(name, _)| is_tried(name)) {
        let mut real = BTreeSet::new();
        for (_, text) in beside(name, &files) {
            let lines: Vec<_> = text.lines().collect();
            let is_declared = |at: &usize| {
                let line = lines[*at];
                let begins = ["fn ", "struct ", "const ", "override ", "alias ", "@group"];
                begins.iter().any(|begin| line.starts_with(begin)) && !line.ends_with("//#stub")
            };
            let declared = (0..lines.len()).filter(is_declared);
            real.extend(declared.map(|at| declaration(&lines[at..])));
        }
        let head = |text: &str| text.split(['(', ':']).next().unwrap_or_default().to_owned();
        let stubs = source.lines().filter(|l| l.trim_end().ends_with("//#stub"));
        // The uniform's declaration is the composer's.
        for stub in stubs.filter(|stub| !stub.contains("var<uniform> args: Args;")) {
            let stub = declaration(&[stub]);
            let (same, others): (Vec<_>, Vec<_>) = real.iter().partition(|real| agree(real, &stub));
            if same.is_empty() {
                missing.push(format!("{name}: nothing stands behind {stub}"));
            }
            // Functions under names that Rust gives are as many as it says.
            let is_free = PLACEHOLDERS
                .iter()
                .any(|free| stub.starts_with(&format!("fn {free}_")));
            let is_named = |other: &&&String| head(other.as_str()) == head(&stub);
            let wrong = others
                .iter()
                .find(|other| stub.starts_with("fn ") && !is_free && is_named(other));
            missing.extend(wrong.map(|wrong| format!("{name}: {stub} is also {wrong}")));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn placeholders_stand_for_names() {
    let real = "fn it_load(i: u32) -> V";
    for (stub, is_right) in [
        ("fn x_load(i: u32) -> V", true),
        ("fn it_load(i: u32) -> V", true),
        ("fn x_load(i: i32) -> V", false),
        ("fn x_load(i: u32, n: u32) -> V", false),
        ("fn x_loads(i: u32) -> V", false),
    ] {
        assert_eq!(agree(real, stub), is_right, "{stub}");
    }
    assert!(agree(
        "fn f16_value(bits: u32) -> f32",
        "fn dtype_value(bits: u32) -> f32"
    ));
    assert!(agree(
        "fn window_of(c: u32) -> WindowTaps",
        "fn window2_of(c: u32) -> Window2Taps"
    ));
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
