//! What comments in an activation's text say, and what is added to them.

use super::rules;
use crate::wgsl::items::declared;
use std::collections::BTreeSet;

/// Defaults, and the text without them: lines stay where they are.
pub(super) struct Marks {
    pub(super) text: String,
    defaults: Vec<(String, f32, usize)>,
}

impl Marks {
    /// Reads the lines `//#default name = value`.
    pub(super) fn read(wgsl: &str) -> Result<Self, String> {
        let mut defaults: Vec<(String, f32, usize)> = Vec::new();
        let mut text = String::new();
        for (index, line) in wgsl.lines().enumerate() {
            let number = index + 1;
            let Some(mark) = line.trim().strip_prefix("//#default") else {
                text.push_str(line);
                text.push('\n');
                continue;
            };
            text.push('\n');
            let parts = mark.split_once('=');
            let parts = parts.map(|(name, value)| (name.trim(), value.trim().parse::<f32>()));
            let Some((name, Ok(value))) = parts else {
                return Err(format!(
                    "line {number}: a default is written as //#default width = 1.0"
                ));
            };
            if defaults.iter().any(|(known, ..)| known == name) {
                return Err(format!("line {number}: {name} has a default already"));
            }
            defaults.push((name.to_owned(), value, number));
        }
        Ok(Marks { text, defaults })
    }

    /// The parameters of `act_<name>` behind x, with their defaults.
    pub(super) fn parameters(
        &self,
        name: &str,
        module: &naga::Module,
    ) -> Result<Vec<(String, f32)>, String> {
        let wanted = format!("act_{name}");
        let mut all = module.functions.iter().map(|(_, function)| function);
        let found = all.find(|function| function.name.as_ref() == Some(&wanted));
        let Some(function) = found else {
            return Err(format!("the text has no fn {wanted}"));
        };
        let names = function.arguments.iter().skip(1);
        let names = names.map(|argument| argument.name.clone().unwrap_or_default());
        let names: Vec<String> = names.collect();
        let is_strange = |(name, ..): &&(String, f32, usize)| !names.contains(name);
        if let Some((name, _, line)) = self.defaults.iter().find(is_strange) {
            return Err(format!("line {line}: {wanted} has no parameter {name}"));
        }
        let with_default = |name: String| {
            let found = self.defaults.iter().find(|(known, ..)| *known == name);
            match found {
                Some((_, value, _)) => Ok((name, *value)),
                None => Err(format!(
                    "the parameter {name} has no default; a line //#default {name} = 1.0 gives it one"
                )),
            }
        };
        names.into_iter().map(with_default).collect()
    }
}

/// The name of a text's one activation.
pub(super) fn name(wgsl: &str) -> Result<String, String> {
    let all = declared(wgsl);
    let mut names: Vec<&str> = all
        .iter()
        .filter_map(|name| name.strip_prefix("act_"))
        .collect();
    let own = names.clone();
    // Derivatives that the text has.
    names.retain(|name| {
        let is_of = |other: &&str| {
            let rest = name.strip_prefix(other);
            rest.is_some_and(|rest| rest == "_dx" || rest == "_d2x" || rest.starts_with("_d_"))
        };
        !own.iter().any(is_of)
    });
    match names.as_slice() {
        [name] => Ok((*name).to_owned()),
        [] => Err(
            "it has no fn act_<name>(x: f32) -> f32, which is the value of an activation <name>"
                .into(),
        ),
        [first, second, ..] => Err(format!(
            "act_{first} and act_{second} are two activations; each needs a text of its own"
        )),
    }
}

/// Lines that bring in what was derived calls, and stand in for it, as far as the text has none.
pub(super) fn stubs(own: &str, library: &BTreeSet<usize>) -> String {
    let mut lines = String::new();
    for rule in library {
        let rule = &rules::ALL[*rule];
        let line = format!("//#use {}", rule.file);
        let has = |text: &str| text.lines().any(|known| known.trim() == line);
        if !has(own) && !has(&lines) {
            lines += &format!("{line}\n");
        }
    }
    for rule in library {
        let rule = &rules::ALL[*rule];
        if !declared(own).contains(&rule.name) {
            lines += &format!("{} //#stub\n", rule.stub);
        }
    }
    lines
}
