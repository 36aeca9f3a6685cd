//! ARCHITECTURE.md names files and folders: each is there.

use std::path::Path;

/// The paths that a text names, those of a pattern such as `shaders/act/<name>.wgsl` apart: words that begin with one of the
/// repository's folders.
fn named(text: &str) -> Vec<&str> {
    const FOLDERS: &[&str] = &[
        "src/", "shaders/", "tests/", "docs/", "cli/", "burn/", "web/", "xtask/", "tools/",
    ];
    let words = text.split(|c: char| c.is_whitespace() || "`()[],;:".contains(c));
    let words = words.map(|word| word.trim_end_matches('.'));
    let is_path = |word: &&str| FOLDERS.iter().any(|folder| word.starts_with(folder));
    words
        .filter(is_path)
        .filter(|word| !word.contains('<'))
        .collect()
}

/// Those that are not below `root`. Of a folder that is not there at all nothing is asked: packages carry only what
/// programs need.
fn missing<'a>(root: &Path, text: &'a str) -> Vec<&'a str> {
    let mut paths = named(text);
    paths.retain(|path| {
        let folder = path.split('/').next().unwrap_or(path);
        root.join(folder).is_dir() && !root.join(path).exists()
    });
    paths
}

#[test]
fn every_path_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read_to_string(root.join("ARCHITECTURE.md")) else {
        return;
    };
    assert!(named(&text).len() > 50, "{:?}", named(&text));
    assert_eq!(missing(root, &text), [""; 0]);
}

#[test]
fn a_path_that_is_gone_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text =
        "src/lib.rs  the roof; (`src/cellar.rs`), src/gone/. And src/<any>.rs, nowhere/at.all";
    assert_eq!(named(text), ["src/lib.rs", "src/cellar.rs", "src/gone/"]);
    assert_eq!(missing(root, text), ["src/cellar.rs", "src/gone/"]);
}
