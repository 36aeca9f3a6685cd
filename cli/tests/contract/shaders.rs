//! The WGSL of the command, which is that of its bench: every file validates alone, and with either file that goes in
//! front of it.

use std::path::PathBuf;
use std::process::Command;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/bench/unfused")
}

/// Names and texts of all files.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wgsl")
        {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
    assert!(files.len() >= 10, "the shaders are where they were");
    files
}

fn validate(name: &str, source: &str) {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string_with_path(source, name)));
    let flags = naga::valid::ValidationFlags::all();
    naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string_with_path(source, name)));
}

#[test]
fn every_file_validates_alone() {
    for (name, source) in files() {
        validate(&name, &source);
    }
}

#[test]
fn every_file_satisfies_tint() {
    for (name, _) in files() {
        let run = Command::new("tint")
            .args(["--format", "wgsl"])
            .arg(folder().join(&name))
            .output();
        // tint is no part of a usual installation.
        let Ok(run) = run else { return };
        let message = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{name}: {message}");
    }
}

#[test]
fn every_file_validates_with_what_its_stubs_stand_for() {
    let files = files();
    let mut stubs = 0;
    for front in ["one.wgsl", "four.wgsl"] {
        let (_, in_front) = files.iter().find(|(name, _)| name == front).unwrap();
        for (name, source) in files.iter().filter(|(name, _)| name != front) {
            let (stubbed, own): (Vec<_>, Vec<_>) =
                source.lines().partition(|line| line.ends_with("//#stub"));
            stubs += stubbed.len();
            // The other file that goes in front, and files that need neither.
            if !stubbed.is_empty() {
                validate(name, &format!("{in_front}\n{}", own.join("\n")));
            }
        }
    }
    assert!(stubs >= 10, "the stubs are marked as they were");
}
