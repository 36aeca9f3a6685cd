//! `cargo xtask hlsl`: every kernel that the library composes, as HLSL, through the compilers that DX12 uses.
//!
//! Windows runs what these two make of naga's HLSL: DXC where an application brings it, else FXC, which is part of Windows.
//! What they make cannot be run here; that they take it, and how long they need, can be seen.

mod compile;
mod prints;
mod report;
mod tools;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Shell, Step, Stop};
use compile::{Compiler, Outcome};

/// A kernel as HLSL.
struct Kernel {
    file: PathBuf,
    /// What it is called, and one command that prints it.
    label: String,
    line: String,
}

/// What one compiler made of all kernels.
struct Found {
    compiler: Compiler,
    outcomes: Vec<Outcome>,
}

/// Compiles everything, or what the lines with `only` in them print. The kernels come from the command `nonlin`, which is
/// built unless one is given.
pub(crate) fn hlsl(
    shell: &mut Shell,
    install: bool,
    only: Option<&str>,
    nonlin: Option<&Path>,
) -> Result<(), Stop> {
    let compilers = tools::ensure(shell, install)?;
    if nonlin.is_none() {
        let why = "the command `nonlin`, which prints the kernels";
        shell.run(&Step::new(
            "build",
            why,
            &["cargo", "build", "-p", "nonlin-cli"],
        ))?;
    }
    // Steps run from the top: a relative path must go on meaning what it meant here.
    let given = nonlin.and_then(|file| std::path::absolute(file).ok());
    let nonlin = given.map_or("nonlin".into(), |file| file.display().to_string());
    let kernels = gather(shell, &nonlin, only.unwrap_or_default())?;
    let files: Vec<_> = kernels.iter().map(|kernel| kernel.file.clone()).collect();
    let mut all = Vec::new();
    for compiler in compilers {
        println!(
            "\n# {}: {} kernels; slow and refused ones as they come",
            compiler.name,
            kernels.len()
        );
        let outcomes = compiler.compile(&files, |index, outcome| {
            if let Some(news) = report::news(&kernels[index], outcome) {
                println!("{news}");
            }
        })?;
        all.push(Found { compiler, outcomes });
    }
    println!("\n{}", report::table(&kernels, &all));
    match report::refused(&kernels, &all) {
        refused if refused.is_empty() => Ok(()),
        refused => Err(Stop::new(1, format!("refused:\n{refused}"))),
    }
}

/// Writes each kernel to a file of its own, once.
fn gather(shell: &Shell, nonlin: &str, only: &str) -> Result<Vec<Kernel>, Stop> {
    let folder = shell.target().join("hlsl/kernels");
    let failed = |error| Stop::new(1, format!("{}: {error}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    let mut lines = prints::prints(&prints::activations(&shell.read(&[nonlin, "list"])?));
    lines.retain(|words| words.join(" ").contains(only));
    if lines.is_empty() {
        return Err(Stop::new(
            2,
            format!("no line of `nonlin wgsl` has `{only}` in it"),
        ));
    }
    println!(
        "\n# kernels: what {} lines of `nonlin wgsl --to hlsl` print",
        lines.len()
    );
    let mut seen = HashSet::new();
    let mut kernels = Vec::new();
    for line in &lines {
        let words: Vec<_> = line.iter().map(String::as_str).collect();
        let text = shell.read(&[&[nonlin, "wgsl", "--to", "hlsl"], &words[..]].concat())?;
        let step = Step::new("", "", &[&["nonlin", "wgsl"], &words[..]].concat());
        for (label, hlsl) in split(&text) {
            if !seen.insert(hlsl.to_owned()) {
                continue;
            }
            let file = folder.join(format!("{}.hlsl", kernels.len()));
            fs::write(&file, hlsl).map_err(failed)?;
            kernels.push(Kernel {
                file,
                label: label.into(),
                line: step.to_string(),
            });
        }
    }
    Ok(kernels)
}

/// The kernels that one command printed: each is headed by a comment, its label and the size of its dispatch.
fn split(text: &str) -> Vec<(&str, &str)> {
    let mut kernels = Vec::new();
    let mut rest = text;
    while let Some(titled) = rest.strip_prefix("// nonlin ") {
        let Some((title, text)) = titled.split_once('\n') else {
            break;
        };
        let end = text.find("\n// nonlin ").map_or(text.len(), |at| at + 1);
        let label = title.rsplit_once(": ").map_or(title, |(label, _)| label);
        kernels.push((label, &text[..end]));
        rest = &text[end..];
    }
    kernels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_split() {
        let text = "// nonlin prelu backward f32: 8 x 1 x 1 workgroups\na\n\n\
                    // nonlin finish: f32: 1 x 1 x 1 workgroups\nb\n";
        let wanted = [("prelu backward f32", "a\n\n"), ("finish: f32", "b\n")];
        assert_eq!(split(text), wanted);
        assert!(split("").is_empty());
    }
}
