//! Where the two compilers come from, and the programs that call them.
//!
//! Both are Microsoft's, and neither is part of this project: they are taken out of Python packages, whose versions and
//! hashes are pinned in `dxc.txt` and `fxc.txt`. FXC is a Windows library, so Wine runs what calls it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use super::compile::Compiler;
use crate::packages::{Manager, by_hand, install_packages, on_path};
use crate::shell::{Shell, Step, Stop};

/// Programs that are needed, and the Debian packages that have them.
const PROGRAMS: [(&str, &[&str]); 5] = [
    ("pip3", &["python3-pip"]),
    ("tar", &["tar"]),
    ("g++", &["g++"]),
    ("x86_64-w64-mingw32-gcc", &["gcc-mingw-w64-x86-64"]),
    ("wine", &["wine", "wine64"]),
];

/// The packages of Debian that are missing.
fn missing(is_here: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let missing = PROGRAMS.iter().filter(|(program, _)| !is_here(program));
    missing
        .flat_map(|(_, packages)| *packages)
        .copied()
        .collect()
}

/// What is taken out of the unpacked Python packages, and what it is called here.
const FILES: [(&str, &str); 4] = [
    (
        "compushady-0.17.5/compushady/backends/libdxcompiler_x86_64.so.3.7",
        "libdxcompiler.so",
    ),
    ("compushady-0.17.5/compushady/backends/dxcapi.h", "dxcapi.h"),
    (
        "compushady-0.17.5/compushady/backends/WinAdapter.h",
        "WinAdapter.h",
    ),
    ("cefpython3/d3dcompiler_47.dll", "d3dcompiler_47.dll"),
];

/// As long as any kernel may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Makes sure of both compilers: says what will be installed and fetched, does it if it may, and builds the programs.
pub(super) fn ensure(shell: &mut Shell, install: bool) -> Result<[Compiler; 2], Stop> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Stop::new(
            2,
            "DXC and FXC are fetched for Linux on x86-64 alone",
        ));
    }
    let folder = shell.target().join("hlsl/compilers");
    let packages = missing(on_path);
    let fetched = FILES.iter().all(|(_, name)| folder.join(name).is_file());
    if !packages.is_empty() || !fetched {
        announce(shell, &folder, &packages, fetched);
    }
    if !packages.is_empty() {
        install_missing(shell, install, &packages)?;
    }
    if !fetched {
        if !install {
            return Err(Stop::new(
                2,
                "the compilers are not here, and --no-install fetches nothing",
            ));
        }
        fetch(shell, &folder)?;
    }
    build(shell, &folder)?;
    Ok(compilers(shell, &folder))
}

fn announce(shell: &Shell, folder: &Path, packages: &[&str], fetched: bool) {
    println!("\nThis step compiles HLSL by Microsoft's own compilers.");
    if !packages.is_empty() {
        println!("It installs, by apt-get: {}.", packages.join(" "));
    }
    if !fetched {
        println!(
            "It fetches from PyPI, and installs neither: compushady 0.17.5, for DXC (66 MB), and cefpython3 66.1, for\n\
             FXC (69 MB). Four files of them are kept in {}.",
            shell.shown(folder).display()
        );
    }
}

fn install_missing(shell: &mut Shell, install: bool, packages: &[&str]) -> Result<(), Stop> {
    let manager = Manager::find(|program| program == "apt-get" && on_path(program));
    let Some(manager) = manager else {
        let names = packages.join(", ");
        let message = format!("missing, by the names of Debian's packages: {names}");
        return Err(Stop::new(2, message));
    };
    if !install {
        let lines = by_hand(manager, packages);
        return Err(Stop::new(
            2,
            format!("missing are programs that these lines install:\n{lines}"),
        ));
    }
    install_packages(shell, manager, packages)
}

/// The folder appears when it is whole.
fn fetch(shell: &mut Shell, folder: &Path) -> Result<(), Stop> {
    let part = folder.with_extension(format!("part-{}", process::id()));
    let done = take(shell, &part, folder);
    let _ = fs::remove_dir_all(&part);
    done
}

fn take(shell: &mut Shell, part: &Path, folder: &Path) -> Result<(), Stop> {
    let whole = part.join("whole");
    fs::create_dir_all(&whole).map_err(|error| failed(part, &error))?;
    let shown = shell.shown(part).display().to_string();
    for step in fetch_steps(&shown) {
        shell.run(&step)?;
    }
    for (from, to) in FILES {
        fs::rename(part.join(from), whole.join(to))
            .map_err(|error| failed(&part.join(from), &error))?;
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    fs::rename(&whole, folder).map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Stop {
    Stop::new(1, format!("{}: {error}", path.display()))
}

fn fetch_steps(part: &str) -> Vec<Step> {
    let pip = [
        "pip3",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        part,
        "--requirement",
    ];
    let dxc = ["xtask/src/hlsl/dxc.txt", "--no-binary", ":all:"];
    let fxc = [
        "xtask/src/hlsl/fxc.txt",
        "--only-binary",
        ":all:",
        "--platform",
        "win_amd64",
    ];
    let archive = format!("{part}/compushady-0.17.5.tar.gz");
    let wheel = format!("{part}/cefpython3-66.1-py2.py3-none-win_amd64.whl");
    vec![
        Step::new(
            "download",
            "the package with DXC",
            &[&pip[..], &dxc].concat(),
        ),
        Step::new(
            "unpack",
            "that package",
            &["tar", "-xf", &archive, "-C", part],
        ),
        Step::new(
            "download",
            "the package with FXC",
            &[&pip[..], &fxc].concat(),
        ),
        Step::new(
            "unpack",
            "that package",
            &["python3", "-m", "zipfile", "-e", &wheel, part],
        ),
    ]
}

/// Builds the two programs: each time, so that they are what their sources say.
fn build(shell: &mut Shell, folder: &Path) -> Result<(), Stop> {
    let shown = shell.shown(folder).display().to_string();
    let dxc = format!("{shown}/dxc");
    let fxc = format!("{shown}/fxc.exe");
    // The headers want Microsoft's extensions, and are not free of warnings.
    let dxc = [
        "g++",
        "-std=c++17",
        "-O1",
        "-w",
        "-fms-extensions",
        "-D__EMULATE_UUID",
        "-I",
        &shown,
        "xtask/src/hlsl/dxc.cpp",
        "-ldl",
        "-o",
        &dxc,
    ];
    shell.run(&Step::new("build", "the program that calls DXC", &dxc))?;
    let fxc = [
        "x86_64-w64-mingw32-gcc",
        "-O1",
        "-Wall",
        "-Wextra",
        "xtask/src/hlsl/fxc.c",
        "-o",
        &fxc,
    ];
    shell.run(&Step::new("build", "the program that calls FXC", &fxc))
}

fn compilers(shell: &Shell, folder: &Path) -> [Compiler; 2] {
    let program = |name: &str| folder.join(name);
    let dxc = Compiler {
        name: "DXC",
        target: "cs_6_2",
        words: vec![program("dxc")],
        variables: Vec::new(),
        folder: folder.to_path_buf(),
        limit: LIMIT,
    };
    let fxc = Compiler {
        name: "FXC",
        target: "cs_5_1",
        words: vec![PathBuf::from("wine"), program("fxc.exe")],
        variables: vec![
            // A Windows of its own, and not the user's; without Wine's own compiler of the same name.
            ("WINEPREFIX", shell.target().join("hlsl/wine").into()),
            (
                "WINEDLLOVERRIDES",
                "d3dcompiler_47=n;mscoree,mshtml=".into(),
            ),
            ("WINEDEBUG", "-all".into()),
        ],
        folder: folder.to_path_buf(),
        limit: LIMIT,
    };
    [dxc, fxc]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packages() {
        assert!(missing(|_| true).is_empty());
        assert_eq!(missing(|program| program != "wine"), ["wine", "wine64"]);
        assert_eq!(missing(|_| false).len(), 6);
    }

    /// What is unpacked is what the pinned lists fetch.
    #[test]
    fn versions_agree() {
        let lists = [include_str!("dxc.txt"), include_str!("fxc.txt")];
        let steps = fetch_steps("part");
        for (list, step) in lists.iter().zip([&steps[1], &steps[3]]) {
            let pinned = list.lines().find(|line| !line.starts_with('#')).unwrap();
            let (name, version) = pinned.split_once(' ').unwrap().0.split_once("==").unwrap();
            let line = step.to_string();
            assert!(line.contains(&format!("part/{name}-{version}")), "{line}");
        }
        assert_eq!(
            steps[0].to_string(),
            "pip3 download --quiet --no-deps --dest part --requirement xtask/src/hlsl/dxc.txt --no-binary :all:"
        );
    }
}
