//! Adapters for machines without a GPU: which are here, and how to get the others.
//!
//! Three drivers compute on the processor: lavapipe (Mesa, Vulkan), llvmpipe (Mesa, OpenGL ES) and
//! SwiftShader (Vulkan). The demo needs any one adapter; the tests want all three.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use crate::packages::{Manager, by_hand, install_packages, on_path, refresh};
use crate::shell::{Shell, Step, Stop};

/// Makes sure that there is an adapter: installs lavapipe if there is none, and it may.
pub(crate) fn ensure_one(shell: &mut Shell, install: bool) -> Result<(), Stop> {
    let found = |shell: &Shell| shell.quietly(&["nonlin", "adapters"]);
    if found(shell) {
        return Ok(());
    }
    println!("\nNo adapter found: wgpu sees neither a GPU nor a software driver on this machine.");
    if !cfg!(target_os = "linux") {
        return Err(Stop::new(
            2,
            "install the driver of this machine's GPU, then try again",
        ));
    }
    let Some(manager) = Manager::find(on_path) else {
        let message = "no known package manager here; install a GPU's Vulkan driver, or Mesa's \
                       software Vulkan driver (lavapipe) and the Vulkan loader, then try again";
        return Err(Stop::new(2, message));
    };
    if !install {
        let lines = by_hand(manager, manager.lavapipe);
        let message = format!("without a GPU, Mesa's software Vulkan driver will do:\n{lines}");
        return Err(Stop::new(2, message));
    }
    println!("Mesa's software Vulkan driver (lavapipe) runs shaders on the processor.");
    install_packages(shell, manager, manager.lavapipe)?;
    if found(shell) {
        return Ok(());
    }
    // Once more, for what it has to say.
    let _ = shell.run(&Step::new(
        "adapters",
        "why there is none",
        &["nonlin", "adapters"],
    ));
    Err(Stop::new(
        2,
        "still no adapter, though lavapipe is installed",
    ))
}

/// Makes sure of all three software adapters as far as possible, and gives the environment
/// variables with which the tests find them. A missing adapter is an error in CI; elsewhere its
/// tests show as ignored.
pub(crate) fn ensure_all(
    shell: &mut Shell,
    install: bool,
) -> Result<Vec<(&'static str, String)>, Stop> {
    if !cfg!(target_os = "linux") {
        println!("The software adapters are for Linux; the tests use what this machine has.");
        return Ok(Vec::new());
    }
    let swiftshader = shell.target().join("swiftshader");
    let mut here = Here::look(Path::new("/"), &swiftshader);
    if install && !here.missing().is_empty() {
        println!(
            "Software adapters to get for the tests: {}.",
            here.missing().join(", ")
        );
        get_missing(shell, &here, &swiftshader);
        here = Here::look(Path::new("/"), &swiftshader);
    }
    let missing = here.missing().join(", ");
    let in_ci = is_set("CI");
    if missing.is_empty() {
        println!("\nAll software adapters are here: lavapipe, llvmpipe, SwiftShader.");
    } else if in_ci || is_set("REQUIRE_GPU") {
        return Err(Stop::new(
            1,
            format!("missing: {missing}; CI and REQUIRE_GPU need all three"),
        ));
    } else {
        println!("\nSoftware adapters still missing: {missing}. Their tests show as ignored.");
    }

    let mut variables = Vec::new();
    if here.swiftshader {
        // The Vulkan loader adds what this names to the system's own drivers.
        let name = "VK_ADD_DRIVER_FILES";
        let mut files = swiftshader.join(MANIFEST).display().to_string();
        if let Ok(others) = env::var(name)
            && !others.is_empty()
        {
            files = format!("{files}:{others}");
        }
        variables.push((name, files));
    }
    if in_ci {
        variables.push(("REQUIRE_GPU", "1".into()));
    }
    Ok(variables)
}

/// Gets the adapters that aren't here. What can't be had is said, and is no error.
fn get_missing(shell: &mut Shell, here: &Here, swiftshader: &Path) {
    let Some(manager) = Manager::find(on_path) else {
        println!("No known package manager here.");
        return;
    };
    let mut packages = Vec::new();
    if !here.lavapipe {
        packages.extend_from_slice(manager.lavapipe);
    }
    if !here.llvmpipe {
        packages.extend_from_slice(manager.llvmpipe);
    }
    if !packages.is_empty()
        && let Err(stop) = install_packages(shell, manager, &packages)
    {
        println!("\n{}", stop.message);
    }
    if here.swiftshader {
        return;
    }
    if manager.program != "apt-get" {
        println!("\nSwiftShader comes out of a Debian package, which only apt-get can fetch.");
    } else if let Err(stop) = fetch_swiftshader(shell, manager, swiftshader) {
        println!("\nNo SwiftShader: {}", stop.message);
    }
}

/// Whether an environment variable is there and says something else than no.
fn is_set(name: &str) -> bool {
    env::var(name).is_ok_and(|value| !["", "0", "false"].contains(&value.as_str()))
}

/// The Debian package that carries SwiftShader, the folder in it, and the two files of it.
const PACKAGE: &str = "chromium-common";
const FOLDER: &str = "usr/lib/chromium";
const MANIFEST: &str = "vk_swiftshader_icd.json";
const LIBRARY: &str = "libvk_swiftshader.so";

/// Takes SwiftShader out of its package, without installing that. The folder appears when it is
/// whole.
fn fetch_swiftshader(shell: &mut Shell, manager: &Manager, folder: &Path) -> Result<(), Stop> {
    println!("\nSwiftShader is taken out of the package {PACKAGE} (about 30 MB), which is not");
    println!(
        "installed: two of its files are kept in {}.",
        shell.shown(folder).display()
    );
    let part = folder.with_extension(format!("part-{}", process::id()));
    let mut done = take_swiftshader(shell, &part, folder);
    if done.is_err() {
        // The list of packages may be missing or too old.
        refresh(shell, manager);
        done = take_swiftshader(shell, &part, folder);
    }
    let _ = fs::remove_dir_all(&part);
    done
}

fn take_swiftshader(shell: &mut Shell, part: &Path, folder: &Path) -> Result<(), Stop> {
    let failed = |error: io::Error| Stop::new(1, format!("{}: {error}", part.display()));
    let whole = part.join("whole");
    fs::create_dir_all(&whole).map_err(failed)?;
    // Paths as they look from the top, where steps run.
    let shown = shell.shown(part).display().to_string();
    let sandbox = "APT::Sandbox::User=root";
    let download = [
        "env", "-C", &shown, "apt-get", "download", "-o", sandbox, PACKAGE,
    ];
    shell.run(&Step::new(
        "download",
        "the package with SwiftShader",
        &download,
    ))?;
    let package = files(part)
        .into_iter()
        .find(|name| name.ends_with(".deb"))
        .ok_or_else(|| Stop::new(1, format!("apt-get left no package in {shown}")))?;
    let unpack = ["dpkg", "-x", &format!("{shown}/{package}"), &shown];
    shell.run(&Step::new(
        "unpack",
        "that package, in the target folder",
        &unpack,
    ))?;
    for name in [LIBRARY, MANIFEST] {
        fs::rename(part.join(FOLDER).join(name), whole.join(name)).map_err(failed)?;
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::rename(&whole, folder).map_err(failed)
}

/// Which software adapters are here.
#[derive(Debug, Default, PartialEq)]
struct Here {
    lavapipe: bool,
    llvmpipe: bool,
    swiftshader: bool,
}

impl Here {
    /// Looks below `system` (`/`, but for tests), and for SwiftShader in its own folder.
    fn look(system: &Path, swiftshader: &Path) -> Self {
        let libraries = library_folders(system);
        let library = |start: &str| libraries.iter().any(|folder| has_file(folder, start));
        let manifests = ["usr/share", "usr/local/share", "etc"]
            .map(|folder| system.join(folder).join("vulkan/icd.d"));
        Self {
            lavapipe: library("libvulkan.so.1")
                && manifests.iter().any(|folder| has_file(folder, "lvp_icd")),
            // Mesa's drivers were one file each; now they are all in one library.
            llvmpipe: library("libEGL.so.1")
                && (library("libgallium")
                    || libraries
                        .iter()
                        .any(|folder| has_file(&folder.join("dri"), "swrast_dri"))),
            swiftshader: [LIBRARY, MANIFEST]
                .iter()
                .all(|name| swiftshader.join(name).is_file()),
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        let all = [
            ("lavapipe", self.lavapipe),
            ("llvmpipe", self.llvmpipe),
            ("SwiftShader", self.swiftshader),
        ];
        all.into_iter()
            .filter(|(_, here)| !here)
            .map(|(name, _)| name)
            .collect()
    }
}

/// Where libraries are: `/usr/lib`, `/usr/lib64` and, on Debian, `/usr/lib/x86_64-linux-gnu`.
fn library_folders(system: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> = ["usr/lib", "usr/lib64", "lib", "lib64"]
        .map(|folder| system.join(folder))
        .into();
    for folder in [system.join("usr/lib"), system.join("lib")] {
        let inside = files(&folder)
            .into_iter()
            .filter(|name| name.contains("-linux-gnu"));
        folders.extend(inside.map(|name| folder.join(name)));
    }
    folders
}

fn has_file(folder: &Path, start: &str) -> bool {
    files(folder).iter().any(|name| name.starts_with(start))
}

/// The names in a folder; none if it can't be read.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_adapters_by_their_files() {
        let system = env::temp_dir().join(format!("xtask-adapters-{}", process::id()));
        let swiftshader = system.join("target/swiftshader");
        let look = |add: &[&str]| {
            for file in add {
                let file = system.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "").unwrap();
            }
            Here::look(&system, &swiftshader).missing()
        };
        assert_eq!(look(&[]), ["lavapipe", "llvmpipe", "SwiftShader"]);
        // A loader without a driver, a front without a back, half of a driver.
        let halves = [
            "usr/lib/aarch64-linux-gnu/libvulkan.so.1",
            "usr/lib64/libEGL.so.1",
            "target/swiftshader/vk_swiftshader_icd.json",
        ];
        assert_eq!(look(&halves), ["lavapipe", "llvmpipe", "SwiftShader"]);
        assert_eq!(
            look(&["usr/share/vulkan/icd.d/lvp_icd.aarch64.json"]).len(),
            2
        );
        assert_eq!(look(&["usr/lib/libgallium-25.0.7.so"]), ["SwiftShader"]);
        assert_eq!(look(&["target/swiftshader/libvk_swiftshader.so"]).len(), 0);
        fs::remove_dir_all(&system).unwrap();
    }
}
