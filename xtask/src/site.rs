//! The page as a folder of static files, for any host: web/page with the package beside it, and what it trains with.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Shell, Stop};

/// What the page needs from other places, by its name in the site.
const BESIDE: &[(&str, &str)] = &[
    ("nonlin/index.js", "web/index.js"),
    ("nonlin/run.js", "web/run.js"),
    ("nonlin/pkg/nonlin.js", "web/pkg/nonlin.js"),
    ("nonlin/pkg/nonlin_bg.wasm", "web/pkg/nonlin_bg.wasm"),
    ("digits.bin", "examples/data/digits.bin"),
    ("kernels.wgsl", "examples/train_mlp/kernels.wgsl"),
];

/// What the service worker keeps: every file's name, and a version that follows from their contents.
const LISTED: &str = "files.js";

/// Puts the site together in `site` below the target folder, from a checkout whose package is built.
pub(crate) fn assemble(shell: &Shell) -> Result<PathBuf, Stop> {
    let site = shell.target().join("site");
    write(shell.root(), &site)?;
    Ok(site)
}

fn write(root: &Path, site: &Path) -> Result<(), Stop> {
    let failed = |path: &Path, error| Stop::new(1, format!("{}: {error}", path.display()));
    if site.exists() {
        fs::remove_dir_all(site).map_err(|error| failed(site, error))?;
    }
    let mut files = Vec::new();
    for (name, from) in sources(root)? {
        let content = fs::read(&from).map_err(|error| failed(&from, error))?;
        let to = site.join(&name);
        let folder = to.parent().unwrap_or(site);
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        fs::write(&to, &content).map_err(|error| failed(&to, error))?;
        files.push((name, content));
    }
    let list = site.join(LISTED);
    fs::write(&list, listed(&files)).map_err(|error| failed(&list, error))
}

/// Every file's name in the site, in order, and where it comes from.
fn sources(root: &Path) -> Result<Vec<(String, PathBuf)>, Stop> {
    let page = root.join("web/page");
    let failed = |error| Stop::new(1, format!("{}: {error}", page.display()));
    let mut all = Vec::new();
    for entry in fs::read_dir(&page).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            all.push((name.to_string_lossy().into_owned(), path));
        }
    }
    let beside = BESIDE.iter();
    all.extend(beside.map(|(name, from)| ((*name).to_owned(), root.join(from))));
    all.sort();
    Ok(all)
}

/// The text of [`LISTED`].
fn listed(files: &[(String, Vec<u8>)]) -> String {
    let version = files.iter().fold(FIRST, |hash, (name, content)| {
        fnv(fnv(hash, name.as_bytes()), content)
    });
    let kept = files.iter().filter(|(name, _)| name != "sw.js");
    let names: Vec<String> = kept.map(|(name, _)| format!("  \"./{name}\",\n")).collect();
    format!(
        "// Written by `cargo xtask web`.\n\
         self.SITE = {{ version: \"{version:016x}\", files: [\n  \"./\",\n{}] }};\n",
        names.concat()
    )
}

const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, which is enough to tell one build from another.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(hash, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_follows_from_names_and_contents() {
        let file = |name: &str, content: &str| (name.to_owned(), content.as_bytes().to_vec());
        let text = listed(&[file("main.js", "1"), file("sw.js", "2")]);
        assert!(
            text.contains("\"./\"") && text.contains("\"./main.js\""),
            "{text}"
        );
        assert!(
            !text.contains("sw.js"),
            "a service worker does not keep itself: {text}"
        );
        let others = [
            [file("main.js", "3"), file("sw.js", "2")],
            [file("main.js", "1"), file("sw.js", "3")],
            [file("mine.js", "1"), file("sw.js", "2")],
        ];
        for other in others {
            let version = |text: &str| text.split('"').nth(1).unwrap().to_owned();
            assert_ne!(version(&text), version(&listed(&other)));
        }
    }

    /// What is built is missing from a fresh checkout; everything else has to be there.
    #[test]
    fn the_site_has_all_that_its_page_names() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let all = sources(root).unwrap();
        for (name, from) in &all {
            assert!(from.is_file() || name.starts_with("nonlin/pkg/"), "{name}");
        }
        let page = fs::read_to_string(root.join("web/page/index.html")).unwrap();
        let names = page.split(['"', '\'']).filter(|word| {
            [".js", ".css", ".svg"]
                .iter()
                .any(|end| word.ends_with(end))
        });
        for name in names {
            assert!(all.iter().any(|(known, _)| known == name), "{name}");
        }
    }
}
