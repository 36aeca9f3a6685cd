//! The package for npm: its WebAssembly, the page that is made of it, and their tests in Node and in Chromium.

use std::fs;
use std::path::Path;

use crate::kernels;
use crate::packages::{Manager, by_hand, install_packages, on_path};
use crate::serve::serve;
use crate::shell::{Shell, Step, Stop};
use crate::site::assemble;

const TARGET: &str = "wasm32-unknown-unknown";

/// The standard library is built along, for size: the one that rustup ships was built for speed. A panic tells nothing in
/// a browser but that it happened: leaving out its words and its place in the source makes the module smaller by some kilobytes.
/// These flags are not stable yet, which `RUSTC_BOOTSTRAP` lets pass.
const SMALL: &[&str] = &[
    "-Zbuild-std=std,panic_abort",
    "-Zbuild-std-features=optimize_for_size",
];
const RUSTUP: &[(&str, &str)] = &[
    (
        "RUSTFLAGS",
        "-Zlocation-detail=none -Zunstable-options -Cpanic=immediate-abort",
    ),
    ("RUSTC_BOOTSTRAP", "1"),
];

/// Debian's packages for the web bring a compiler, and its standard library's source.
const DEBIAN: &[(&str, &str)] = &[
    RUSTUP[0],
    RUSTUP[1],
    ("RUSTC", "/usr/bin/rustc"),
    ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld"),
];
const DEBIANS: &[&str] = &["rustc-web", "rust-web-src", "lld"];

/// What builds for the web: the variables that choose it.
struct Toolchain(&'static [(&'static str, &'static str)]);

impl Toolchain {
    fn ensure(shell: &mut Shell, install: bool) -> Result<Self, Stop> {
        let root = shell.read(&["rustc", "--print", "sysroot"])?;
        let source = Path::new(root.trim()).join("lib/rustlib/src/rust/library");
        if source.is_dir() {
            return Ok(Toolchain(RUSTUP));
        }
        let how = "`rustup component add rust-src` installs what it takes to build for the web";
        if !Path::new("/etc/debian_version").exists() {
            return Err(Stop::new(2, how));
        }
        if !on_path("wasm-ld") || !Path::new("/usr/lib/rustlib/src").is_dir() {
            println!("{how}; Debian's compiler does as well.");
            get(shell, install, DEBIANS)?;
        }
        Ok(Toolchain(DEBIAN))
    }

    /// A target folder of its own: this compiler's files are in no other's way.
    fn step(&self, shell: &Shell, name: &'static str, why: &'static str, words: &[&str]) -> Step {
        let folder = shell
            .shown(&shell.target().join("wasm"))
            .display()
            .to_string();
        let words = [words, &["--target", TARGET, "--target-dir", &folder], SMALL];
        let variables = self.0.iter();
        let variables: Vec<_> = variables
            .map(|(name, value)| (*name, (*value).into()))
            .collect();
        Step::new(name, why, &words.concat()).with_all(&variables)
    }
}

/// Installs packages, or says how.
fn get(shell: &mut Shell, install: bool, packages: &[&str]) -> Result<(), Stop> {
    let Some(manager) = Manager::find(on_path) else {
        let message = format!(
            "missing: {}, and no known package manager",
            packages.join(", ")
        );
        return Err(Stop::new(2, message));
    };
    if !install {
        let lines = by_hand(manager, packages);
        return Err(Stop::new(
            2,
            format!("missing; these lines install it:\n{lines}"),
        ));
    }
    install_packages(shell, manager, packages)
}

/// The version of a crate in Cargo.lock.
fn locked(lock: &str, name: &str) -> Option<String> {
    let (_, behind) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(behind.split_once('"')?.0.to_owned())
}

/// wasm-bindgen's program, which has to be of the crate's version.
fn ensure_bindgen(shell: &mut Shell, install: bool) -> Result<String, Stop> {
    let lock = shell.text("Cargo.lock")?;
    let version = locked(&lock, "wasm-bindgen");
    let version = version.ok_or_else(|| Stop::new(1, "Cargo.lock has no wasm-bindgen"))?;
    let folder = shell.target().join("wasm-bindgen");
    let program = folder.join("bin/wasm-bindgen").display().to_string();
    let said = shell
        .read(&[program.as_str(), "--version"])
        .unwrap_or_default();
    if said.trim() != format!("wasm-bindgen {version}") {
        let folder = folder.display().to_string();
        let words = [
            "cargo",
            "install",
            "wasm-bindgen-cli",
            "--version",
            &version,
            "--root",
            &folder,
        ];
        let step = Step::new("bindgen", "what joins WebAssembly and JavaScript", &words);
        if !install {
            return Err(Stop::new(
                2,
                format!("missing; this line installs it:\n  $ {step}"),
            ));
        }
        shell.run(&step)?;
    }
    Ok(program)
}

/// Builds the package and the page, and serves the page.
pub(crate) fn web(shell: &mut Shell, install: bool, is_served: bool) -> Result<(), Stop> {
    build(shell, install)?;
    let site = assemble(shell)?;
    let shown = shell.shown(&site);
    println!(
        "\n{} is the page, for any host of static files.",
        shown.display()
    );
    if is_served { serve(&site) } else { Ok(()) }
}

/// Builds what the package for npm holds, web/pkg.
pub(crate) fn build(shell: &mut Shell, install: bool) -> Result<(), Stop> {
    let toolchain = Toolchain::ensure(shell, install)?;
    let bindgen = ensure_bindgen(shell, install)?;
    let why = "the core as WebAssembly";
    module(shell, &toolchain, &bindgen, why, "nonlin", &[])?;
    let (why, custom) = (
        "with activations of the page's own",
        ["--features", "custom"],
    );
    module(shell, &toolchain, &bindgen, why, "nonlin_custom", &custom)
}

/// Builds one WebAssembly module, and the JavaScript beside it.
fn module(
    shell: &mut Shell,
    toolchain: &Toolchain,
    bindgen: &str,
    why: &'static str,
    name: &str,
    features: &[&str],
) -> Result<(), Stop> {
    let words = ["cargo", "build", "-p", "nonlin-web", "--profile", "web"];
    let words = [&words, features].concat();
    shell.run(&toolchain.step(shell, "wasm", why, &words))?;
    let module = shell
        .target()
        .join("wasm")
        .join(TARGET)
        .join("web/nonlin_web.wasm");
    let module = shell.shown(&module).display().to_string();
    let words = [
        bindgen,
        "--target",
        "web",
        "--out-name",
        name,
        "--out-dir",
        "web/pkg",
        "--remove-name-section",
        "--remove-producers-section",
        &module,
    ];
    shell.run(&Step::new("join", "with JavaScript", &words))
}

/// Tests the package as npm packs it.
pub(crate) fn test(shell: &mut Shell, install: bool) -> Result<(), Stop> {
    for program in ["node", "npm"] {
        if !on_path(program) {
            return Err(Stop::new(
                2,
                format!("`{program}` is missing: Node.js 20 or later"),
            ));
        }
    }
    let words = ["cargo", "clippy", "-p", "nonlin-web", "--all-targets"];
    for features in ["", "custom"] {
        let words = [
            &words[..],
            &["--features", features, "--", "-D", "warnings"],
        ]
        .concat();
        shell.run(&Step::new("lints", "clippy has nothing to say", &words))?;
    }
    build(shell, install)?;
    let toolchain = Toolchain::ensure(shell, install)?;
    let words = ["cargo", "check", "-p", "nonlin"];
    let step = toolchain.step(shell, "library", "the library with wgpu's WebGPU", &words);
    shell.run(&step)?;
    pack(shell)?;
    let folder = shell.target().join("web/package").display().to_string();
    let node =
        |name, why, words: &[&str]| Step::new(name, why, words).with("NONLIN_PACKAGE", &folder);
    let words = ["node", "--test", "web/tests/package.test.mjs"];
    shell.run(&node("node", "the package without a GPU", &words))?;
    let words = [
        "npm",
        "install",
        "--prefix",
        "web",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
    ];
    shell.run(&Step::new(
        "npm",
        "what drives the browser, and TypeScript",
        &words,
    ))?;
    shell.run(&types())?;
    let chromium = ensure_chromium(shell, install)?;
    let why = "every activation in Chromium, on WebGPU";
    let step = node("browser", why, &["node", "web/tests/browser.mjs"]);
    shell.run(&step.with("NONLIN_CHROMIUM", &chromium))?;
    kernels::test(shell, &chromium)?;
    page(shell, &chromium)
}

/// The page, put together as for a host: its modules in Node, and all of it in Chromium.
fn page(shell: &mut Shell, chromium: &str) -> Result<(), Stop> {
    let site = assemble(shell)?.display().to_string();
    let steps = [
        (
            "modules",
            "what the page computes without a browser",
            "page.test.mjs",
        ),
        ("page", "the page in Chromium", "page.mjs"),
    ];
    for (name, why, file) in steps {
        let file = format!("web/tests/{file}");
        let words = match name {
            "modules" => vec!["node", "--test", &file],
            _ => vec!["node", &file],
        };
        let step = Step::new(name, why, &words).with("NONLIN_SITE", &site);
        shell.run(&step.with("NONLIN_CHROMIUM", chromium))?;
    }
    Ok(())
}

/// What TypeScript makes of the package.
fn types() -> Step {
    let words = [
        "node",
        "web/node_modules/typescript/bin/tsc",
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--lib",
        "es2022,dom",
        "--module",
        "nodenext",
        "--types",
        "@webgpu/types",
        "--typeRoots",
        "web/node_modules",
        "web/tests/types.mts",
    ];
    Step::new("types", "the package in TypeScript", &words)
}

/// Packs the package, and unpacks it to web/package below the target folder.
fn pack(shell: &mut Shell) -> Result<(), Stop> {
    let above = shell.folder("web")?;
    let folder = shell.target().join("web/package");
    let failed = |error| Stop::new(1, format!("{}: {error}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    let above = above.display().to_string();
    let words = ["npm", "pack", "./web", "--pack-destination", &above];
    shell.run(&Step::new("pack", "the package", &words))?;
    let archive = format!("{above}/nonlin-{}.tgz", env!("CARGO_PKG_VERSION"));
    let words = ["tar", "-xzf", &archive, "-C", &above];
    shell.run(&Step::new("unpack", "as npm would", &words))
}

/// A browser that has WebGPU: what NONLIN_CHROMIUM names, or the system's.
fn ensure_chromium(shell: &mut Shell, install: bool) -> Result<String, Stop> {
    if let Ok(named) = std::env::var("NONLIN_CHROMIUM") {
        return Ok(named);
    }
    let known = ["chromium", "chromium-browser", "google-chrome"];
    let found = || known.iter().find(|program| on_path(program));
    if found().is_none() {
        get(shell, install, &["chromium"])?;
    }
    let program = found().ok_or_else(|| Stop::new(2, "no Chromium; NONLIN_CHROMIUM names one"))?;
    Ok(shell.read(&["which", program])?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        let lock = "[[package]]\nname = \"wasm-bindgen-shared\"\nversion = \"1.2.3\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(locked(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(locked(lock, "wasm"), None);
    }
}
