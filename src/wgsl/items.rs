//! WGSL text as the items that it declares: enough to leave out what nothing uses, and to put a prefix before names.
//! Names are those at module scope; a local of the same name keeps an item that nothing uses, which harms nobody.

use std::collections::HashSet;

/// One declaration with the comments and attributes before it.
#[derive(Debug)]
struct Item<'a> {
    text: &'a str,
    /// None for what has no name, which stays: a `const_assert`, a directive.
    name: Option<&'a str>,
    is_entry: bool,
}

/// The text in order, without the items that no root reaches. Entry points are roots, and what has one of these names.
pub(super) fn reachable(text: &str, roots: &[&str]) -> String {
    let items = items(text);
    let mut wanted: Vec<&Item<'_>> = Vec::new();
    let is_root = |item: &&Item<'_>| {
        let named = item.name.is_some_and(|name| roots.contains(&name));
        item.is_entry || item.name.is_none() || named
    };
    wanted.extend(items.iter().filter(is_root));
    let mut names: HashSet<&str> = wanted.iter().filter_map(|item| item.name).collect();
    while let Some(item) = wanted.pop() {
        for token in code_tokens(item.text) {
            let found = items.iter().filter(|item| item.name == Some(token));
            for found in found {
                if names.insert(token) {
                    wanted.push(found);
                }
            }
        }
    }
    let kept = items
        .iter()
        .filter(|item| item.name.is_none_or(|name| names.contains(name)));
    let mut out = String::new();
    for item in kept {
        let text = item.text.trim_start();
        let before = &item.text[..item.text.len() - text.len()];
        if !out.is_empty() {
            // Lines that stood together still do.
            let apart = before.matches('\n').count() > 1;
            out.push_str(if apart { "\n\n" } else { "\n" });
        }
        out.push_str(text.trim_end());
    }
    out + "\n"
}

/// The names that the text declares at module scope.
pub(super) fn declared(text: &str) -> Vec<&str> {
    items(text)
        .into_iter()
        .filter_map(|item| item.name)
        .collect()
}

/// Whether code has this identifier.
pub(crate) fn mentions(text: &str, identifier: &str) -> bool {
    code_tokens(text).any(|token| token == identifier)
}

fn items(text: &str) -> Vec<Item<'_>> {
    let mut all = Vec::new();
    let (mut start, mut depth) = (0, 0u32);
    let mut rest = Scan { text, at: 0 };
    while let Some((at, c)) = rest.next() {
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (c == '}' || c == ';') {
            // A comment behind it, on its line, is its own.
            let behind = at + c.len_utf8();
            let line = text[behind..].find('\n').unwrap_or(text.len() - behind);
            let line = &text[behind..behind + line];
            let is_comment = line.trim_start().starts_with("//");
            let end = behind + if is_comment { line.len() } else { 0 };
            rest.at = end;
            let item = &text[start..end];
            if item.trim() != ";" {
                all.push(Item::new(item));
            }
            start = end;
        }
    }
    all
}

impl<'a> Item<'a> {
    fn new(text: &'a str) -> Self {
        let mut words = code_tokens(text).peekable();
        let mut name = None;
        while let Some(word) = words.next() {
            if ["fn", "struct", "const", "override", "alias"].contains(&word) {
                name = words.next();
                break;
            }
            if word == "var" {
                // The address space and the access stand between.
                let between = [
                    "storage",
                    "read",
                    "read_write",
                    "uniform",
                    "workgroup",
                    "private",
                ];
                name = words.find(|word| !between.contains(word));
                break;
            }
        }
        let is_entry = code_tokens(text).next() == Some("compute");
        Item {
            text,
            name,
            is_entry,
        }
    }
}

/// The characters of the code, comments left out.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Scan<'_> {
    type Item = (usize, char);

    fn next(&mut self) -> Option<(usize, char)> {
        loop {
            let rest = &self.text[self.at..];
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            } else {
                let c = rest.chars().next()?;
                let at = self.at;
                self.at += c.len_utf8();
                return Some((at, c));
            }
        }
    }
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The identifiers, keywords and numbers of the code.
fn code_tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut scan = Scan { text, at: 0 }.peekable();
    std::iter::from_fn(move || {
        while scan.next_if(|(_, c)| !is_part(*c)).is_some() {}
        let (start, first) = scan.next()?;
        let mut end = start + first.len_utf8();
        while let Some((at, c)) = scan.next_if(|(at, c)| is_part(*c) && *at == end) {
            end = at + c.len_utf8();
        }
        Some(&text[start..end])
    })
}

/// All of the text in pieces: words, and what stands between them.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest
            .find(|c| is_part(c) != is_part(first))
            .unwrap_or(rest.len());
        let (token, behind) = rest.split_at(end);
        rest = behind;
        Some(token)
    })
}

/// Puts a prefix before every name that the text declares at module scope; `chain_` gives way to it.
pub(super) fn prefixed(text: &str, prefix: &str) -> String {
    let globals: HashSet<&str> = declared(text).into_iter().collect();
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        let (code, comment) = line.split_at(line.find("//").unwrap_or(line.len()));
        for token in tokens(code) {
            // A field may have a global's name.
            if globals.contains(token) && !out.ends_with('.') {
                out.push_str(prefix);
                out.push('_');
                out.push_str(token.strip_prefix("chain_").unwrap_or(token));
            } else {
                out.push_str(token);
            }
        }
        out.push_str(comment);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// Of a.
const A: f32 = 1.0; // one
/* { */ struct S { a: f32, b: u32 }
fn a(x: f32) -> f32 { return x * A; } // fn no() {}
var<workgroup> lanes: array<S, 64>;
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
fn b(s: S) -> f32 { return a(s.a) + lanes[0].a; }
fn c() -> f32 { if true { return 2.0; } return 1.0; }
@compute @workgroup_size(64)
fn main() { y[0] = u32(c()); }
";

    #[test]
    fn items_have_names() {
        assert_eq!(
            declared(TEXT),
            ["A", "S", "a", "lanes", "y", "b", "c", "main"]
        );
    }

    #[test]
    fn only_what_is_reached_stays() {
        let text = reachable(TEXT, &[]);
        assert_eq!(declared(&text), ["y", "c", "main"]);
        let text = reachable(TEXT, &["a"]);
        assert_eq!(declared(&text), ["A", "a", "y", "c", "main"]);
        assert!(text.starts_with("// Of a.\nconst A"), "{text}");
        let text = reachable(TEXT, &["b"]);
        assert_eq!(declared(&text).len(), 8);
    }

    #[test]
    fn fields_keep_their_names() {
        let text = prefixed(
            "struct S { v: f32 } // S\nfn v(s: S) -> f32 { return s.v; }",
            "own",
        );
        let text = text.lines().last();
        assert_eq!(text, Some("fn own_v(s: own_S) -> f32 { return s.v; }"));
    }
}
