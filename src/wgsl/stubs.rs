//! Lines of shader files that stand in for what other files bring: nothing needs them once files are joined, and half of a
//! small program's text would be theirs. So they are left out when the library is compiled.

const STUB: &[u8] = b"//#stub";

/// Whether the line of `text` that ends before `end` is a stub.
const fn is_stub(text: &[u8], begin: usize, end: usize) -> bool {
    if end - begin < STUB.len() {
        return false;
    }
    let mut at = 0;
    while at < STUB.len() {
        if text[end - STUB.len() + at] != STUB[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Copies the lines that are no stubs to `to`, as far as that reaches, and says how long all of them are.
const fn copy(text: &[u8], to: &mut [u8]) -> usize {
    let (mut begin, mut len) = (0, 0);
    while begin < text.len() {
        let mut end = begin;
        while end < text.len() && text[end] != b'\n' {
            end += 1;
        }
        let next = if end < text.len() { end + 1 } else { end };
        if !is_stub(text, begin, end) {
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

pub(super) const fn len(text: &str) -> usize {
    copy(text.as_bytes(), &mut [])
}

pub(super) const fn without<const N: usize>(text: &str) -> [u8; N] {
    let mut kept = [0; N];
    copy(text.as_bytes(), &mut kept);
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
        const KEPT: [u8; $crate::wgsl::stubs::len(TEXT)] = $crate::wgsl::stubs::without(TEXT);
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
        const KEPT: [u8; len(TEXT)] = without(TEXT);
        assert_eq!(text(&KEPT), "// é\n\nfn g() {}\nlast");
    }
}
