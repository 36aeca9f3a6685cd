//! The house's order: which module may use which, how long files and functions may be, and that Rust writes WGSL on one
//! floor alone.
//!
//! Only text is read here: paths that begin with `crate::` or `super::`, lines as rustfmt leaves them, and string literals.

use std::path::{Path, PathBuf};

/// The library's modules from the lowest floor up. A module uses those below it, never those above; those of one line
/// know each other. src/lib.rs, the roof, knows all.
const FLOORS: &[&[&str]] = &[
    // Passes and dtypes are parsed, with errors; errors name passes and dtypes.
    &["pass", "error", "tensor"],
    &["ulp"],
    &["philox"],
    &["act"],
    &["chain"],
    &["layers"],
    &["reference"],
    &["check"],
    &["wgsl"],
    &["layers/gpu"],
    &["plan"],
    &["gpu"],
];

/// The one floor that names wgpu, and the file below it that says that an operand may be in one of wgpu's buffers.
const WGPU: &[&str] = &["gpu/", "plan/memory.rs", "lib.rs"];

/// The one file that asks the compiler to trust it, and how often.
const UNSAFE: (&str, usize) = ("src/gpu/stored.rs", 1);

/// Most lines of a file, and of a function.
const FILE: usize = 600;
const FUNCTION: usize = 60;

/// Where files have that length.
const HOUSE: &[&str] = &[
    "src", "tests", "benches", "examples", "cli", "burn", "xtask",
];

/// Where functions have that length: elsewhere they are tables of cases as well, and programs that one reads from the top.
const PROGRAMS: &[&str] = &["src", "cli/src", "burn/src", "xtask/src"];

/// What stands in WGSL where Rust should not write any.
const WGSL: &[&str] = &["fn ", "@compute", "var<"];

/// String literals that may hold such words outside src/wgsl/, by file and a part of them.
const ALLOWED: &[(&str, &str)] = &[
    // Searched for in kernels' text, which is the same in both modes of access but for this.
    ("src/plan/launch.rs", "var<storage, read"),
    // Searched for, too: what a text declares.
    (
        "src/plan/recipe.rs",
        "@binding({index}) var<storage, {access}>",
    ),
    // Searched for in the WGSL of an activation of the user's own.
    ("src/chain/custom.rs", "fn act_{}_{derivative}("),
];

/// Something that is not in order: the file, and what is wrong with it.
#[derive(Debug, PartialEq)]
struct Found(String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, with forward slashes, and their text. None where a folder is not there: packages
/// carry only what programs need. What cargo builds beside them is left out.
fn files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
                found.push((name.replace('\\', "/"), text));
            }
        }
    }
    found.sort();
    found
}

/// The text without comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find("//") {
        Some(at) => &line[..at],
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The code by the inline module, at the margin, that it stands in; `super` means something else in one.
fn sections(code: &str) -> Vec<(Option<&str>, String)> {
    let mut sections = vec![(None, String::new())];
    for line in code.lines() {
        let module = line.strip_suffix(" {");
        let module = module.and_then(|line| line.rsplit_once("mod "));
        match module {
            Some((before, name)) if before.is_empty() || before.starts_with("pub") => {
                sections.push((Some(name), String::new()));
            }
            _ if line == "}" && sections.last().is_some_and(|(module, _)| module.is_some()) => {
                sections.push((None, String::new()));
            }
            _ => {
                if let Some((_, text)) = sections.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    sections
}

/// All paths that begin with `crate` or `super`, braces written out: `super::a::{b, c::d}` is two.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            let is_inside = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            if !is_inside {
                tree(&mut code[at..].chars().peekable(), &[], &mut found);
            }
        }
    }
    found
}

/// Reads a path, or a tree of them, behind `before`.
fn tree(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    before: &[String],
    found: &mut Vec<Vec<String>>,
) {
    let mut path = before.to_vec();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.next_if_eq(&'{').is_some() {
            while rest.peek().is_some_and(|c| *c != '}') {
                tree(rest, &path, found);
                while rest.next_if(|c| c.is_whitespace() || *c == ',').is_some() {}
            }
            rest.next();
            return;
        }
        let mut name = String::new();
        while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_' || *c == '*') {
            name.push(c);
        }
        if name.is_empty() {
            // Nothing that a path has, such as a macro's `$name`.
            rest.next();
            break;
        }
        path.push(name);
        if rest.next_if_eq(&':').is_none() {
            // Another name for it, as in `a as b`.
            while rest
                .next_if(|c| !matches!(c, ',' | '}' | ';' | '\n'))
                .is_some()
            {}
            break;
        }
        rest.next();
    }
    found.push(path);
}

/// The floor of what is at a path below src/, such as `plan/launch`, and its name there.
fn floor(path: &str) -> Option<(usize, &'static str)> {
    let all = FLOORS.iter().enumerate();
    let all = all.flat_map(|(floor, names)| names.iter().map(move |name| (floor, *name)));
    let on = all.filter(|(_, name)| {
        let rest = path.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('.'))
    });
    on.max_by_key(|(_, name)| name.len())
}

/// Where a path leads, below src/; none where it stands for one of the library's own names.
fn leads_to(file: &str, inside: Option<&str>, path: &[String]) -> Option<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    let mut place: Vec<&str> = stem.split('/').chain(inside).collect();
    let mut names = path.iter().map(String::as_str).peekable();
    if names.next_if_eq(&"crate").is_some() {
        place.clear();
    }
    while names.next_if_eq(&"super").is_some() {
        place.pop();
    }
    place.extend(names);
    let is_module = place.first()?.starts_with(|c: char| c.is_lowercase());
    is_module.then(|| place.join("/"))
}

/// What of a file below src/ is on the wrong floor.
fn misplaced(file: &str, text: &str) -> Vec<Found> {
    let code = code(text);
    let mut found = Vec::new();
    let mut say = |what: String| found.push(Found(format!("src/{file}: {what}")));
    let own = floor(file);
    let sections = sections(&code);
    let all = sections
        .iter()
        .flat_map(|(inside, text)| paths(text).into_iter().map(|path| (*inside, path)));
    for (inside, path) in all {
        let written = path.join("::");
        let Some(target) = leads_to(file, inside, &path) else {
            say(format!(
                "{written} does not name the module that defines it"
            ));
            continue;
        };
        match (own, floor(&target)) {
            (Some((own, _)), Some((other, name))) if other > own => {
                say(format!("uses {name}, which is above it"));
            }
            (None, _) => say("is on no floor".into()),
            _ => {}
        }
    }
    if code.contains("wgpu::") && !WGPU.iter().any(|known| file.starts_with(known)) {
        say("names wgpu".into());
    }
    found
}

/// Files and functions that are too long.
fn long_file(file: &str, text: &str) -> Option<Found> {
    let lines = text.lines().count();
    (lines > FILE).then(|| Found(format!("{file}: {lines} lines")))
}

fn long_functions(file: &str, text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        // Its end stands below its beginning; so does that of a signature without a body.
        let is_end = |line: &&str| {
            let rest = line.strip_prefix(indent);
            rest == Some("}") || rest.is_some_and(|r| r.starts_with(')') && r.ends_with(';'))
        };
        let is_short = line.ends_with('}') || line.ends_with(';');
        let end = lines[start..].iter().position(is_end);
        let length = end.map_or(0, |end| end + 1);
        if !is_short && length > FUNCTION {
            found.push(Found(format!("{file}: fn {name} has {length} lines")));
        }
    }
    found
}

/// The name of the function that begins at a line.
fn function(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let is_beginning = before.split_whitespace().all(|word| {
        matches!(word, "const" | "async" | "unsafe" | "extern") || word.starts_with("pub")
    });
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (is_beginning && end > 0).then(|| &rest[..end])
}

/// The string literals of code, as they are written, with the line that each begins at. Comments are stepped over.
fn literals(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let raw = rest
            .strip_prefix('r')
            .map(|rest| rest.trim_start_matches('#'));
        let before = text[..at].chars().next_back();
        let is_raw = raw.is_some_and(|rest| rest.starts_with('"'))
            && !before.is_some_and(|c| c.is_alphanumeric() && c != 'b' || c == '_');
        let (skip, length) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("'\"'") {
            (3, None)
        } else if rest.starts_with("'\\") {
            // An escaped character, which may be a quotation mark.
            (3, None)
        } else if is_raw {
            let marks = rest.find('"').map_or(0, |quote| quote - 1);
            let end = format!("\"{}", "#".repeat(marks));
            let inner = &rest[marks + 2..];
            let length = inner.find(&end).unwrap_or(inner.len());
            (marks + 2, Some((length, end.len())))
        } else if let Some(inner) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = inner.find(|c| {
                let is_end = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                is_end
            });
            (1, Some((end.unwrap_or(inner.len()), 1)))
        } else {
            (rest.chars().next().map_or(1, char::len_utf8), None)
        };
        at += skip;
        if let Some((length, end)) = length {
            let line = text[..at].lines().count();
            found.push((line, &text[at..at + length]));
            at += length + end;
        }
    }
    found
}

/// String literals that hold WGSL, tests' apart.
fn written(file: &str, text: &str) -> Vec<Found> {
    if file.ends_with("tests.rs") {
        return Vec::new();
    }
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let is_wgsl = |literal: &str| {
        WGSL.iter().any(|word| {
            literal.match_indices(word).any(|(at, _)| {
                let before = literal[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        })
    };
    let is_allowed = |literal: &str| {
        let mut allowed = ALLOWED.iter();
        allowed.any(|(known, part)| *known == file && literal.contains(part))
    };
    let literals = literals(&text[..end]).into_iter();
    let wrong = literals.filter(|(_, literal)| is_wgsl(literal) && !is_allowed(literal));
    let say = |(line, _)| Found(format!("{file}: WGSL in a string, at line {line}"));
    wrong.map(say).collect()
}

/// Blocks of code that the compiler is asked to trust, but for the one that there is.
fn trusted(file: &str, text: &str) -> Option<Found> {
    let blocks = code(text).matches("unsafe {").count();
    let allowed = if file == UNSAFE.0 { UNSAFE.1 } else { 0 };
    (blocks > allowed).then(|| Found(format!("{file}: {blocks} unsafe blocks")))
}

/// All that is not in order.
fn survey() -> Vec<Found> {
    let mut found = Vec::new();
    for (file, text) in files("src") {
        let below = file.strip_prefix("src/").unwrap_or(&file);
        if below != "lib.rs" {
            found.extend(misplaced(below, &text));
        }
    }
    for folder in HOUSE {
        for (file, text) in files(folder) {
            found.extend(long_file(&file, &text));
        }
    }
    for folder in PROGRAMS {
        for (file, text) in files(folder) {
            found.extend(long_functions(&file, &text));
            found.extend(trusted(&file, &text));
            // The one floor that writes WGSL.
            if !file.starts_with("src/wgsl/") {
                found.extend(written(&file, &text));
            }
        }
    }
    found
}

#[test]
fn the_house_is_in_order() {
    let found = survey();
    assert!(found.is_empty(), "{found:#?}");
}

fn says(found: Vec<Found>) -> Vec<String> {
    found.into_iter().map(|found| found.0).collect()
}

#[test]
fn upward_imports_are_found() {
    let upward =
        "use crate::{error::Error, gpu::{self, bind::Bound}};\n// crate::gpu in a comment\n";
    let above = "src/plan/work.rs: uses gpu, which is above it";
    assert_eq!(says(misplaced("plan/work.rs", upward)), [above, above]);
    let path = "fn f() -> u64 { super::super::super::plan::launch::words() }";
    let above = "src/wgsl/form/more.rs: uses plan, which is above it";
    assert_eq!(says(misplaced("wgsl/form/more.rs", path)), [above]);
    let inner = "pub(super) use super::gpu::Form;";
    let above = "src/layers/frelu.rs: uses layers/gpu, which is above it";
    assert_eq!(says(misplaced("layers/frelu.rs", inner)), [above]);
    let inner = "mod sealed {\n    use super::gpu::Form;\n}\n";
    let above = "src/layers/mod.rs: uses layers/gpu, which is above it";
    assert_eq!(says(misplaced("layers/mod.rs", inner)), [above]);
    let root = "use crate::Chain;";
    let unnamed = "src/plan/work.rs: crate::Chain does not name the module that defines it";
    assert_eq!(says(misplaced("plan/work.rs", root)), [unnamed]);
    let wgpu = "fn f(buffer: &wgpu::Buffer) {}";
    assert_eq!(
        says(misplaced("plan/work.rs", wgpu)),
        ["src/plan/work.rs: names wgpu"]
    );
    assert_eq!(
        says(misplaced("cellar.rs", "use super::act;")),
        ["src/cellar.rs: is on no floor"]
    );
}

#[test]
fn what_is_below_is_allowed() {
    let text = "use super::launch::Launch;\nuse crate::chain::{Chain, step::Step as Link};\nuse crate::wgsl::*;\n";
    assert_eq!(misplaced("plan/work.rs", text), []);
    assert_eq!(
        misplaced("gpu/bind.rs", "use super::guarded;\nuse wgpu::Buffer;"),
        []
    );
    assert_eq!(
        misplaced("error.rs", "use crate::tensor::dtype::DType;"),
        []
    );
}

#[test]
fn what_is_too_long_is_found() {
    let body = "        work();\n".repeat(FUNCTION - 1);
    let text = format!("impl X {{\n    pub(super) fn long(&self) {{\n{body}    }}\n}}\n");
    assert_eq!(
        says(long_functions("a.rs", &text)),
        ["a.rs: fn long has 61 lines"]
    );
    let body = "        work();\n".repeat(FUNCTION - 2);
    let text =
        format!("trait X {{\n    fn none(\n    );\n    fn fits(&self) {{\n{body}    }}\n}}\n");
    assert_eq!(long_functions("a.rs", &text), []);
    let text = "// A line.\n".repeat(FILE + 1);
    let is_long = Some(Found("a.rs: 601 lines".into()));
    assert_eq!(long_file("a.rs", &text), is_long);
    let text = "// A line.\n".repeat(FILE);
    assert_eq!(long_file("a.rs", &text), None);
}

#[test]
fn unsafe_blocks_are_found() {
    let text = "fn f() {\n    // unsafe { in a comment }\n    unsafe { g() }\n}\n";
    let found = |file| trusted(file, text).map(|found| found.0);
    assert_eq!(found(UNSAFE.0), None);
    assert_eq!(found("src/a.rs").unwrap(), "src/a.rs: 1 unsafe blocks");
    let twice = format!("{text}{text}");
    assert!(trusted(UNSAFE.0, &twice).is_some());
    let own = std::fs::read_to_string(root().join(UNSAFE.0)).unwrap();
    assert_eq!(code(&own).matches("unsafe {").count(), UNSAFE.1);
}

#[test]
fn wgsl_in_strings_is_found() {
    let at = |file: &str, text: &str| says(written(file, text));
    let plain = "let a = 'x';\nlet b = \"@compute @workgroup_size(64)\";\n";
    let line_2 = ["cli/src/a.rs: WGSL in a string, at line 2"];
    assert_eq!(at("cli/src/a.rs", plain), line_2);
    let several = "// \"\nlet b = format!(\n\"\nx\\\"\n  fn main() {{\\n\");\n";
    let line_3 = ["src/plan/a.rs: WGSL in a string, at line 3"];
    assert_eq!(at("src/plan/a.rs", several), line_3);
    let raw = "const A: &str = r#\"\"var<storage> a\"#;";
    let line_1 = ["burn/src/a.rs: WGSL in a string, at line 1"];
    assert_eq!(at("burn/src/a.rs", raw), line_1);
    let quoted = "let a = ['\"', '\\''];\nlet b = \"var<workgroup> a\";\n";
    assert_eq!(at("cli/src/a.rs", quoted), line_2);
    // What is allowed in one file is so there alone.
    let (file, part) = ALLOWED[0];
    let text = format!("text.replace(\"{part}>\", \"\")");
    assert_eq!(written(file, &text), []);
    let line_1 = ["src/plan/a.rs: WGSL in a string, at line 1"];
    assert_eq!(at("src/plan/a.rs", &text), line_1);
    let fine = "/// `fn f` in a comment\nfn f<'a>(a: &'a str) { g(\"a fnord, fn\") }\n\
                #[cfg(test)]\nmod tests {\n    const A: &str = \"fn f() {}\";\n}\n";
    assert_eq!(at("cli/src/a.rs", fine), [""; 0]);
}

/// Each exception for a literal is needed.
#[test]
fn what_is_allowed_is_there() {
    for (file, part) in ALLOWED {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let all = literals(&text);
        assert!(
            all.iter().any(|(_, literal)| literal.contains(part)),
            "{file}"
        );
    }
}
