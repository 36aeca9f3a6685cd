//! Backward kernels as folders in the form that the Hub's kernels for WebGPU have.

use crate::shell::{Shell, Step, Stop};
use crate::web;

/// Builds the package for npm, whose recipes the kernels are, and writes the folders.
pub(crate) fn kernels(shell: &mut Shell, install: bool) -> Result<(), Stop> {
    web::build(shell, install)?;
    let folder = write(shell)?;
    println!(
        "\n{folder} has a folder for each kernel, to be published as a repository of its name."
    );
    Ok(())
}

fn write(shell: &mut Shell) -> Result<String, Stop> {
    let folder = shell.folder("kernels")?;
    let folder = shell.shown(&folder).display().to_string();
    let words = ["node", "web/kernels/make.mjs", &folder];
    shell.run(&Step::new(
        "kernels",
        "the Hub's manifests, shaders, cases",
        &words,
    ))?;
    Ok(folder)
}

/// Writes the folders, once the package is built, and tests them: in Node, and in a browser.
pub(crate) fn test(shell: &mut Shell, chromium: &str) -> Result<(), Stop> {
    let folder = write(shell)?;
    let step = |name, why, words: &[&str]| {
        Step::new(name, why, words)
            .with("NONLIN_KERNELS", &folder)
            .with("NONLIN_CHROMIUM", chromium)
    };
    let words = ["node", "--test", "web/tests/kernels.test.mjs"];
    shell.run(&step("form", "that they dispatch what recipes do", &words))?;
    let words = ["node", "web/tests/browser.mjs", "kernels_page.js"];
    shell.run(&step("cases", "their cases in Chromium, on WebGPU", &words))
}
