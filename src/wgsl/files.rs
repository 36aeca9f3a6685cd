//! The shader files, and how a kernel's text is made of them.
//!
//! Each file is WGSL that naga, tint and an editor accept as it stands. Comments at the ends of lines do the composing:
//!
//! - `//#use math/exp.wgsl`, a line of its own, pulls a file in once, before this one;
//! - a line that ends in `//#stub` stands in for what another file, or Rust, brings, and is dropped.
//!
//! What nothing in the text uses is left out.

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../shaders/", $name)))),+]
    };
}

/// The files that can be used by name; activations' are in the list of activations.
pub(super) const FILES: &[(&str, &str)] = files![
    "io/bf16.wgsl",
    "io/f16.wgsl",
    "io/f32.wgsl",
    "math/acon.wgsl",
    "math/divide.wgsl",
    "math/exp.wgsl",
    "math/expm1.wgsl",
    "math/ldexp.wgsl",
    "math/log1p.wgsl",
    "math/normal.wgsl",
    "math/philox.wgsl",
    "math/sigmoid.wgsl",
    "sweep/column_sums.wgsl",
    "sweep/columns.wgsl",
    "sweep/each.wgsl",
    "sweep/finish.wgsl",
    "sweep/lanes.wgsl",
    "sweep/row_sums.wgsl",
    "sweep/rows.wgsl",
];

/// Text under construction, and the names of the files in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    text: String,
    files: Vec<String>,
}

impl Text {
    /// Appends one of the project's files behind those that it uses.
    pub(crate) fn file(&mut self, name: &str) {
        self.used(name)
            .unwrap_or_else(|problem| unreachable!("{problem}"));
    }

    /// Appends text that is tried already, such as an activation's, once under its name.
    pub(crate) fn known(&mut self, name: &str, text: &str) {
        if self.is_new(name) {
            self.append(text)
                .unwrap_or_else(|problem| unreachable!("{problem}"));
        }
    }

    /// Appends text made by Rust.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn used(&mut self, name: &str) -> Result<(), String> {
        let found = FILES.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| format!("there is no {name} to use"))?;
        if self.is_new(name) {
            self.append(text)?;
        }
        Ok(())
    }

    fn is_new(&mut self, name: &str) -> bool {
        let is_new = self.files.iter().all(|known| known != name);
        if is_new {
            self.files.push(name.to_owned());
        }
        is_new
    }

    /// Errors name a file that is not there.
    fn append(&mut self, text: &str) -> Result<(), String> {
        text.lines()
            .filter_map(named)
            .try_for_each(|name| self.used(name))?;
        let lines = text.lines();
        for line in lines.filter(|line| named(line).is_none() && !is_stub(line)) {
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.text.push('\n');
        Ok(())
    }

    /// The text without what nothing in it uses. The roots are entry points, and functions of these names.
    pub(crate) fn finish(&self, roots: &[&str]) -> String {
        super::items::reachable(&self.text, roots)
    }
}

/// The file that a line asks for.
fn named(line: &str) -> Option<&str> {
    line.trim().strip_prefix("//#use ").map(str::trim)
}

fn is_stub(line: &str) -> bool {
    line.trim_end().ends_with("//#stub")
}

/// Text of the user's own with empty lines for its stubs, and what it uses.
pub(crate) fn standing_alone(text: &str) -> Result<(String, String), String> {
    let mut used = Text::default();
    text.lines()
        .filter_map(named)
        .try_for_each(|name| used.used(name))?;
    let lines = text
        .lines()
        .map(|line| if is_stub(line) { "" } else { line });
    Ok((lines.collect::<Vec<_>>().join("\n"), used.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read() {
        let mut text = Text::default();
        text.append(
            "//#use math/expm1.wgsl\n\
             fn m_expm1(x: f32) -> f32 { return x; } //#stub\n\
             fn own() {}\n",
        )
        .unwrap();
        let all = text.finish(&["own", "m_expm1"]);
        assert_eq!(all.matches("fn m_expm1(").count(), 1, "{all}");
        assert!(!all.contains("//#"), "{all}");
        assert!(!text.finish(&["own"]).contains("m_expm1"));
        let error = text.append("//#use math/sin.wgsl").unwrap_err();
        assert_eq!(error, "there is no math/sin.wgsl to use");
    }
}
