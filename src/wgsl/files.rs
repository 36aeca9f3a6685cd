//! The shader files, and how a kernel's text is made of them.
//!
//! Each file is WGSL that naga, tint and an editor accept as it stands. Comments at the ends of lines do the composing:
//!
//! - `//#use math/exp.wgsl`, a line of its own, pulls a file in once, before this one; with `as NAME` behind it, under
//!   another name (see below);
//! - a line that ends in `//#stub` stands in for what another file, or Rust, brings, and is dropped;
//! - a line that ends in `//#bind` declares a buffer, whose number is given when all are known;
//! - `struct Args { a: u32, b: f32 } //#args` names numbers of the dispatch: all files' together are one uniform;
//! - `override N: i32 = 3;` becomes a constant where Rust sets its value ([`Text::set`]);
//! - a line that ends in `//#if N >= 3` is there only where that is so of what Rust has set; `==` and `<` can stand in place
//!   of `>=`, and `&` joins conditions.
//!
//! A file may be taken under other names ([`Text::file_as`]): `it` in it, alone or as the beginning or the end of a
//! name, is what Rust says. What nothing in the text uses is left out.

use super::listed::FILES;

/// Text under construction, and the names of the files in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    text: String,
    files: Vec<String>,
    /// What files mark as buffers: name and type, and whether they write it.
    buffers: Vec<Declared>,
    /// The fields of `struct Args`, and their types.
    fields: Vec<(String, String)>,
    /// The values of overrides.
    constants: Vec<(String, String)>,
}

/// A buffer as files declare it.
#[derive(Clone, Debug)]
struct Declared {
    name: String,
    element: String,
    is_written: bool,
}

/// A kernel made of files, and what it has to be given.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) text: String,
    /// The buffers in the order of their bindings, and whether each is written. The uniform is behind them.
    pub(crate) buffers: Vec<(String, bool)>,
    /// The fields of the uniform, 32 bits each.
    pub(crate) fields: Vec<String>,
}

impl Text {
    /// Appends one of the project's files behind those that it uses.
    pub(crate) fn file(&mut self, name: &str) {
        self.file_as(name, &[]);
    }

    /// Appends text that is tried already, such as an activation's, once under its name.
    pub(crate) fn known(&mut self, name: &str, text: &str) {
        if self.is_new(name) {
            self.append(text)
                .unwrap_or_else(|problem| unreachable!("{problem}"));
        }
    }

    /// Appends a file under other names: each pair is a name in the file, and what stands in its place, where it is
    /// a whole name, or the beginning of one before `_`; `it` may be the end of one too. A name in capitals, or with a
    /// capital before another, is replaced likewise.
    pub(crate) fn file_as(&mut self, name: &str, names: &[(&str, &str)]) {
        self.used(name, names)
            .unwrap_or_else(|problem| unreachable!("{problem}"));
    }

    /// Gives an override, of the files to come, its value.
    pub(crate) fn set(&mut self, name: &str, value: impl std::fmt::Display) {
        self.constants.push((name.to_owned(), value.to_string()));
    }

    /// Appends text made by Rust.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn used(&mut self, name: &str, names: &[(&str, &str)]) -> Result<(), String> {
        let found = FILES.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| format!("there is no {name} to use"))?;
        let mut key = name.to_owned();
        for (from, to) in names {
            key += &format!(" {from} as {to}");
        }
        if self.is_new(&key) {
            self.append(&renamed(text, names))?;
        }
        Ok(())
    }

    /// What a line `//#use` asks for: a file, or `FILE as NAME`.
    fn asked(&mut self, what: &str) -> Result<(), String> {
        match what.split_once(" as ") {
            Some((file, name)) => self.used(file.trim(), &[("it", name.trim())]),
            None => self.used(what, &[]),
        }
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
            .try_for_each(|what| self.asked(what))?;
        let lines = text.lines();
        for line in lines.filter(|line| named(line).is_none() && !is_stub(line)) {
            if self.is_taken(line) {
                continue;
            }
            let (line, condition) = line.split_once("//#if ").unwrap_or((line, ""));
            let holds = super::conditions::hold(condition, &self.constants);
            if !holds.ok_or_else(|| format!("no condition: {condition}"))? {
                continue;
            }
            self.text.push_str(&self.with_constant(line.trim_end()));
            self.text.push('\n');
        }
        self.text.push('\n');
        Ok(())
    }

    /// Takes note of a line that declares a buffer, or numbers.
    fn is_taken(&mut self, line: &str) -> bool {
        let line = line.trim_end();
        if let Some(buffer) = line.strip_suffix("//#bind") {
            let found = declared_buffer(buffer);
            let new = found.unwrap_or_else(|| unreachable!("no buffer: {line}"));
            match self.buffers.iter_mut().find(|known| known.name == new.name) {
                Some(known) => {
                    debug_assert_eq!(known.element, new.element, "{}", new.name);
                    known.is_written |= new.is_written;
                }
                None => self.buffers.push(new),
            }
            return true;
        }
        let Some(fields) = line.strip_suffix("//#args") else {
            return false;
        };
        let all = fields.split(['{', '}']).nth(1).unwrap_or_default();
        for field in all.split(',') {
            if let Some((name, kind)) = field.split_once(':') {
                let (name, kind) = (name.trim(), kind.trim());
                match self.fields.iter().find(|(known, _)| known == name) {
                    Some((_, known)) => debug_assert_eq!(known, kind, "{name}"),
                    None => self.fields.push((name.to_owned(), kind.to_owned())),
                }
            }
        }
        true
    }

    /// The line, or the constant that stands for an override that is set.
    fn with_constant<'a>(&self, line: &'a str) -> std::borrow::Cow<'a, str> {
        let Some(rest) = line.strip_prefix("override ") else {
            return line.into();
        };
        let name = rest.split(':').next().unwrap_or_default().trim();
        let found = self.constants.iter().find(|(known, _)| known == name);
        match (found, rest.split_once('=')) {
            (Some((_, value)), Some((head, tail))) => {
                let behind = tail.split_once(';').map_or("", |(_, behind)| behind);
                format!("const {head}= {value};{behind}").into()
            }
            _ => line.into(),
        }
    }

    /// The text without what nothing in it uses. The roots are entry points, and functions of these names.
    pub(crate) fn finish(&self, roots: &[&str]) -> String {
        super::items::reachable(&self.text, roots)
    }

    /// The kernel that the files make: what its entry point uses, behind the buffers and the numbers that this
    /// mentions. Buffers are bound in the order given.
    pub(crate) fn kernel(&self, order: &[&str]) -> Kernel {
        let body = super::items::reachable(&self.text, &[]);
        let mut buffers: Vec<_> = self.buffers.iter().collect();
        buffers.retain(|buffer| super::mentions(&body, &buffer.name));
        buffers.sort_by_key(|buffer| order.iter().position(|name| *name == buffer.name));
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.retain(|(name, _)| body.contains("args.") && super::mentions(&body, name));
        let mut text = String::from("struct Args {\n");
        for (name, kind) in &fields {
            text += &format!("    {name}: {kind},\n");
        }
        text += "}\n\n";
        for (binding, buffer) in buffers.iter().enumerate() {
            let mode = if buffer.is_written {
                "read_write"
            } else {
                "read"
            };
            let Declared { name, element, .. } = buffer;
            text += &format!(
                "@group(0) @binding({binding}) var<storage, {mode}> {name}: array<{element}>;\n"
            );
        }
        let last = buffers.len();
        text += &format!("@group(0) @binding({last}) var<uniform> args: Args;\n\n");
        let buffers = buffers.into_iter();
        let fields = fields.into_iter();
        Kernel {
            text: text + &body,
            buffers: buffers
                .map(|buffer| (buffer.name.clone(), buffer.is_written))
                .collect(),
            fields: fields.map(|(name, _)| name.clone()).collect(),
        }
    }
}

/// A kernel's text for operands of which some lie in one buffer: every one is bound read_write.
pub(crate) fn all_written(text: &str) -> String {
    text.replace("var<storage, read>", "var<storage, read_write>")
}

/// The buffer that a line declares: `@group(0) @binding(0) var<storage, read> x: array<u32>;`.
fn declared_buffer(line: &str) -> Option<Declared> {
    let (_, rest) = line.split_once("var<storage,")?;
    let (mode, rest) = rest.split_once('>')?;
    let (name, element) = rest.split_once(':')?;
    let element = element.trim().strip_prefix("array<")?.strip_suffix(">;")?;
    Some(Declared {
        name: name.trim().to_owned(),
        element: element.to_owned(),
        is_written: mode.trim() == "read_write",
    })
}

/// Text with other names, as [`Text::file_as`] says; in comments, only of names in backquotes, and of what is asked
/// for.
pub(super) fn renamed(text: &str, names: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let code = match line.find("//") {
            Some(at) if named(line).is_none() && !line[at..].starts_with("//#if ") => at,
            _ => line.len(),
        };
        let mut is_free = true;
        for (at, token) in with_places(line) {
            let is_code = at < code;
            match other_name(token, names).filter(|_| is_code || !is_free) {
                Some(name) => out.push_str(&name),
                None => out.push_str(token),
            }
            is_free = !token.ends_with('`');
        }
    }
    out
}

/// The tokens of a line, and where each begins.
fn with_places(line: &str) -> impl Iterator<Item = (usize, &str)> {
    super::items::tokens(line).scan(0, |at, token| {
        let here = *at;
        *at += token.len();
        Some((here, token))
    })
}

/// What a token becomes, where it is one of the names, or begins or ends with one.
fn other_name(token: &str, names: &[(&str, &str)]) -> Option<String> {
    let capital = |name: &str| {
        let (first, rest) = name.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    let instead = |from: &str, to: String, may_follow: fn(char) -> bool| {
        let rest = token.strip_prefix(from)?;
        let is_name = rest.chars().next().is_none_or(may_follow);
        is_name.then(|| to + rest)
    };
    let behind = |from: &str, to: &str| {
        let rest = token.strip_suffix("_it").filter(|_| from == "it")?;
        Some(format!("{rest}_{to}"))
    };
    names.iter().find_map(|(from, to)| {
        instead(from, (*to).to_owned(), |c| c == '_')
            .or_else(|| {
                instead(&from.to_ascii_uppercase(), to.to_ascii_uppercase(), |c| {
                    c == '_'
                })
            })
            .or_else(|| instead(&capital(from), capital(to), |c| c.is_ascii_uppercase()))
            .or_else(|| behind(from, to))
    })
}

/// What a line asks for: a file, and maybe a name.
fn named(line: &str) -> Option<&str> {
    line.trim().strip_prefix("//#use ").map(str::trim)
}

fn is_stub(line: &str) -> bool {
    line.trim_end().ends_with("//#stub")
}

/// Text of the user's own with empty lines for its stubs, and what it uses. Marks of kernels' files have no place in it.
pub(crate) fn standing_alone(text: &str) -> Result<(String, String), String> {
    for line in text.lines().map(str::trim_end) {
        let ends = ["//#bind", "//#args"].into_iter();
        let mut marks = ends.filter(|mark| line.ends_with(mark));
        let condition = line.contains("//#if ").then_some("//#if");
        if let Some(mark) = marks.next().or(condition) {
            return Err(format!("{mark} has no place in it"));
        }
    }
    let mut used = Text::default();
    text.lines()
        .filter_map(named)
        .try_for_each(|what| used.asked(what))?;
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
        let error = text.append("//#use math/cos.wgsl").unwrap_err();
        assert_eq!(error, "there is no math/cos.wgsl to use");
    }

    #[test]
    fn names_are_replaced() {
        let text = "fn it_load(i: u32) -> It { return ITEMS[it_at + i] + IT_N * it.it + at_it + fit + bit_; } struct ItRow { Items: Iti }";
        let wide = "fn wide_load(i: u32) -> Wide { return ITEMS[wide_at + i] + WIDE_N * wide.wide + at_wide + fit + bit_; } struct WideRow { Items: Iti }";
        assert_eq!(renamed(text, &[("it", "wide")]), wide);
        let text = "// Of it, `it`.\nlet a = it; // it\nlet b = 1; //#if IT_N >= 3";
        let wide = "// Of it, `wide`.\nlet a = wide; // it\nlet b = 1; //#if WIDE_N >= 3";
        assert_eq!(renamed(text, &[("it", "wide")]), wide);
    }

    #[test]
    fn a_kernel_has_what_it_uses() {
        let mut text = Text::default();
        text.set("N", "5u");
        text.append(
            "struct Args { y_at: u32, no: u32, share: f32 } //#args\n\
             @group(0) @binding(0) var<uniform> args: Args; //#stub\n\
             @group(0) @binding(1) var<storage, read> x: array<u32>; //#bind\n\
             @group(0) @binding(2) var<storage, read> z: array<u32>; //#bind\n\
             @group(0) @binding(3) var<storage, read_write> y: array<vec4<u32>>; //#bind\n\
             override N: u32 = 3u; // Elements.\n\
             override M: u32 = 7u;\n\
             fn unused() -> u32 { return z[args.no]; }\n\
             @compute @workgroup_size(64)\n\
             fn main() { y[args.y_at] = vec4(x[N] + M); }\n",
        )
        .unwrap();
        text.append("@group(0) @binding(0) var<storage, read_write> x: array<u32>; //#bind")
            .unwrap();
        let kernel = text.kernel(&["y", "x", "z"]);
        assert_eq!(kernel.buffers, [("y".into(), true), ("x".into(), true)]);
        assert_eq!(kernel.fields, ["y_at"]);
        let wanted = "struct Args {
    y_at: u32,
}

@group(0) @binding(0) var<storage, read_write> y: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> x: array<u32>;
@group(0) @binding(2) var<uniform> args: Args;

const N: u32 = 5u; // Elements.
override M: u32 = 7u;
@compute @workgroup_size(64)
fn main() { y[args.y_at] = vec4(x[N] + M); }
";
        assert_eq!(kernel.text, wanted);
    }
}
