//! Lines of shader files that stand in for what other files bring: nothing needs them once files are joined, and half of a
//! small program's text would be theirs. So they are left out when the library is compiled. Where a page has to load the
//! library, comments are left out as well: they would be a twentieth of all that it loads.

const STUB: &[u8] = b"//#stub";

/// Whether comments are left out.
pub(super) const BARE: bool = cfg!(target_arch = "wasm32");

/// Whether `text` has `part` at a place.
const fn has(text: &[u8], at: usize, part: &[u8]) -> bool {
    if text.len() < at + part.len() {
        return false;
    }
    let mut index = 0;
    while index < part.len() {
        if text[at + index] != part[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Whether the line of `text` from `begin` to `end` is a stub.
const fn is_stub(text: &[u8], begin: usize, end: usize) -> bool {
    end - begin >= STUB.len() && has(text, end - STUB.len(), STUB)
}

/// Whether it is a comment, and nothing that composes files.
const fn is_comment(text: &[u8], begin: usize, end: usize) -> bool {
    let mut at = begin;
    while at < end && text[at] == b' ' {
        at += 1;
    }
    has(text, at, b"//") && !has(text, at, b"//#")
}

/// Copies the lines that are no stubs, and if it is to be `bare`, no comments, to `to`, as far as that reaches, and says
/// how long all of them are.
const fn copy(text: &[u8], to: &mut [u8], bare: bool) -> usize {
    let (mut begin, mut len) = (0, 0);
    while begin < text.len() {
        let mut end = begin;
        while end < text.len() && text[end] != b'\n' {
            end += 1;
        }
        let next = if end < text.len() { end + 1 } else { end };
        let is_left_out = is_stub(text, begin, end) || (bare && is_comment(text, begin, end));
        if !is_left_out {
            while begin < next {
                if len < to.len() {
                    to[len] = text[begin];
                }
                len += 1;
                begin += 1;
            }
        }
        begin = next;
    }
    len
}

pub(super) const fn len(text: &str, bare: bool) -> usize {
    copy(text.as_bytes(), &mut [], bare)
}

pub(super) const fn without<const N: usize>(text: &str, bare: bool) -> [u8; N] {
    let mut kept = [0; N];
    copy(text.as_bytes(), &mut kept, bare);
    kept
}

/// Whole lines of UTF-8 are UTF-8.
pub(super) const fn text(bytes: &[u8]) -> &str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a line begins or ends within a character"),
    }
}

/// A shader file without its stubs.
macro_rules! shader {
    ($name:expr) => {{
        const TEXT: &str = include_str!($name);
        const BARE: bool = $crate::wgsl::stubs::BARE;
        const KEPT: [u8; $crate::wgsl::stubs::len(TEXT, BARE)] =
            $crate::wgsl::stubs::without(TEXT, BARE);
        $crate::wgsl::stubs::text(&KEPT)
    }};
}
pub(super) use shader;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_are_left_out_and_nothing_else() {
        const TEXT: &str = "// é\nfn f() {} //#stub\n\nfn g() {}\n//#stub\nlast";
        const KEPT: [u8; len(TEXT, false)] = without(TEXT, false);
        assert_eq!(text(&KEPT), "// é\n\nfn g() {}\nlast");
    }

    #[test]
    fn comments_are_left_out_and_what_composes_stays() {
        const TEXT: &str =
            "// é\n//#use a.wgsl\nfn f() {\n    // of f\n    g(); // it\n}\nvar a: b; //#bind\n//";
        const KEPT: [u8; len(TEXT, true)] = without(TEXT, true);
        let kept = "//#use a.wgsl\nfn f() {\n    g(); // it\n}\nvar a: b; //#bind\n";
        assert_eq!(text(&KEPT), kept);
    }
}
