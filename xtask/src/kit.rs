//! A folder for a machine with a GPU, on which nothing can be built or fetched: programs, data, and what runs them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Shell, Step, Stop};

/// The tests that run on adapters and need nothing else.
const TESTS: [&str; 9] = [
    "accuracy",
    "chains",
    "layers_gpu",
    "learned",
    "recipe",
    "rows",
    "shapes",
    "special",
    "teeth",
];

/// What the tests read as they run, below tests/data, where NONLIN_TEST_DATA says; the steps' inputs, too.
const DATA: [&str; 4] = ["layers", "eager", "digits_x.npy", "digits_dy.npy"];

/// Files of the checkout that go along as they are.
const FILES: [&str; 2] = ["tools/gpu_kit/run.sh", "tools/torch_gpu.py"];

/// Bytes that the folder may have: so much travels.
const MOST: u64 = 60 << 20;

/// Makes the folder anew.
pub(crate) fn make(shell: &mut Shell) -> Result<(), Stop> {
    if !cfg!(target_os = "linux") {
        return Err(Stop::new(2, "the kit is made on Linux, for Linux"));
    }
    let programs = build(shell)?;
    let folder = shell.target().join("gpu-kit");
    let failed = |error| Stop::new(1, format!("{}: {error}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(folder.join("tests")).map_err(failed)?;
    // Cargo's folder for this profile, beside that of the profile that this program is built in.
    let command = shell.target().join("release/nonlin");
    strip(shell, &command, &folder.join("nonlin"))?;
    for test in TESTS {
        let Some((_, program)) = programs.iter().find(|(name, _)| name == test) else {
            return Err(Stop::new(
                1,
                format!("cargo does not say where the test {test} is"),
            ));
        };
        let to = folder.join("tests").join(test);
        strip(shell, program, &to)?;
        // They are large, and alike; gzip is everywhere.
        let to = shell.shown(&to).display().to_string();
        shell.run(&Step::new(
            "pack",
            "what is too large",
            &["gzip", "-9", &to],
        ))?;
    }
    let data = shell.root().join("tests/data");
    for name in DATA {
        copy_all(&data.join(name), &folder.join("data").join(name)).map_err(failed)?;
    }
    for file in FILES {
        let file = shell.root().join(file);
        let name = file.file_name().unwrap_or_default();
        // With its mode: run.sh can be run.
        fs::copy(&file, folder.join(name)).map_err(failed)?;
    }
    let bytes = size(&folder).map_err(failed)?;
    let shown = shell.shown(&folder);
    println!(
        "\n{} has {:.1} MiB.",
        shown.display(),
        bytes as f64 / f64::from(1 << 20)
    );
    if bytes > MOST {
        return Err(Stop::new(1, format!("at most {} MiB travel", MOST >> 20)));
    }
    println!("There, `sh run.sh` leaves all that it finds in the folder results beside it.");
    Ok(())
}

/// Builds the command and the tests, and says where the tests are, by name.
fn build(shell: &mut Shell) -> Result<Vec<(String, PathBuf)>, Stop> {
    let build = ["cargo", "build", "--release", "-p", "nonlin-cli"];
    shell.run(&Step::new("command", "the command, optimised", &build))?;
    let mut build = vec!["cargo", "test", "--release", "--no-run", "-p", "nonlin"];
    for test in TESTS {
        build.extend(["--test", test]);
    }
    shell.run(&Step::new("tests", "the tests on adapters", &build))?;
    build.push("--message-format=json");
    Ok(executables(&shell.read(&build)?))
}

/// Of cargo's messages, the programs by the names of their targets. Cargo writes a message in a line, and a hash behind a
/// test's name.
fn executables(messages: &str) -> Vec<(String, PathBuf)> {
    let mark = "\"executable\":\"";
    let paths = messages.lines().filter_map(|line| {
        let (_, rest) = line.split_once(mark)?;
        rest.split_once('"').map(|(path, _)| PathBuf::from(path))
    });
    let named = paths.filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        let name = name.rsplit_once('-')?.0.to_owned();
        Some((name, path))
    });
    named.collect()
}

fn strip(shell: &mut Shell, from: &Path, to: &Path) -> Result<(), Stop> {
    let [from, to] = [from, to].map(|path| shell.shown(path).display().to_string());
    shell.run(&Step::new(
        "strip",
        "without symbols",
        &["strip", "-o", &to, &from],
    ))
}

/// Copies a file, or a folder with all that is in it.
fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn size(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => size(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_tests_are() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
             {\"reason\":\"compiler-artifact\",\"executable\":\"/t/deps/layers_gpu-0a1b\",\"fresh\":true}\n\
             {\"reason\":\"build-finished\",\"success\":true}\n";
        let found = executables(messages);
        assert_eq!(
            found,
            [(
                "layers_gpu".into(),
                PathBuf::from("/t/deps/layers_gpu-0a1b")
            )]
        );
    }

    #[test]
    fn folders_are_copied_and_measured() {
        let folder = std::env::temp_dir().join(format!("xtask-kit-{}", std::process::id()));
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::write(folder.join("a/one"), "1").unwrap();
        fs::write(folder.join("a/b/two"), "22").unwrap();
        copy_all(&folder.join("a"), &folder.join("c")).unwrap();
        assert_eq!(size(&folder.join("c")).unwrap(), 3);
        assert_eq!(fs::read(folder.join("c/b/two")).unwrap(), b"22");
        fs::remove_dir_all(&folder).unwrap();
    }

    /// What the kit takes along is there.
    #[test]
    fn files_are_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in FILES {
            assert!(root.join(file).is_file(), "{file}");
        }
        for test in TESTS {
            assert!(root.join(format!("tests/{test}.rs")).is_file(), "{test}");
        }
        for name in DATA {
            assert!(root.join("tests/data").join(name).exists(), "{name}");
        }
    }
}
