//! `--define`: activations of the user's own, from files of WGSL.

use crate::output::{complain, files};
use crate::{Failure, Result};
use nonlin::{Argument, Chain, Custom, Function};
use std::path::PathBuf;

/// The option that chains' commands have in common.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Defined {
    /// A file of WGSL with an activation of your own, as a function act_NAME(x: f32, ..) -> f32: its derivatives are derived.
    /// `//#default P = 1.0` gives a parameter its default. Once for each file
    #[arg(long, value_name = "FILE", value_parser = files())]
    define: Vec<PathBuf>,
}

impl Defined {
    /// Reads the files.
    pub(crate) fn read(&self) -> Result<Vec<Custom>> {
        let mut all: Vec<Custom> = Vec::new();
        for path in &self.define {
            let shown = path.display();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::io(format_args!("cannot read {shown}"), error))?;
            let custom: Custom = text
                .parse()
                .map_err(|error: nonlin::Error| Failure(format!("{shown}: {error}")))?;
            if all.iter().any(|known| known.name() == custom.name()) {
                let name = custom.name();
                return Err(Failure(format!("{shown}: {name} is defined already")));
            }
            all.push(custom);
        }
        Ok(all)
    }
}

/// The activations of a chain whose reference is made of their own text.
pub(crate) fn shared(chain: &Chain) -> Vec<&str> {
    let mut names = Vec::new();
    for step in chain.steps() {
        match step.function() {
            Function::Custom(custom) if custom.shares_formula() => names.push(custom.name()),
            _ => {}
        }
        for argument in step.arguments() {
            if let Argument::Branch(branch) = argument {
                names.extend(shared(branch.chain()));
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// What to know of a reference that is made of these activations' own texts.
pub(crate) fn note(names: &[&str]) -> Option<String> {
    let are = if names.len() == 1 { "is" } else { "are" };
    (!names.is_empty()).then(|| {
        format!(
            "the reference of {} {are} made of the same text: whether that is the function that was meant is not compared",
            names.join(", ")
        )
    })
}

/// Says so on stderr.
pub(crate) fn say(chain: &Chain) {
    if let Some(note) = note(&shared(chain)) {
        complain(&note);
    }
}
