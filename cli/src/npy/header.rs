//! The header of a .npy file: a Python dictionary as text.

use super::{MAGIC, Order, Shape, fill};
use std::io::{self, Read};

/// As many as NumPy allows.
const MAX_DIMENSIONS: usize = 64;

/// A header is a line of text; NumPy itself refuses those beyond 10,000 bytes.
const MAX_HEADER: usize = 1 << 16;

/// A header's contents.
#[derive(Debug)]
pub(super) struct Header {
    /// NumPy's name of the element type.
    pub(super) descr: String,
    pub(super) shape: Shape,
}

/// Why a header cannot be read; the text goes on from the file's name.
#[derive(Debug)]
pub(super) enum Problem {
    Io(io::Error),
    File(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Problem::File("ends within its header".into()),
            _ => Problem::Io(error),
        }
    }
}

pub(super) fn read_header(from: &mut impl Read) -> std::result::Result<Header, Problem> {
    let mut start = [0; 8];
    let filled = fill(from, &mut start)?;
    if !start.starts_with(MAGIC) || filled < start.len() {
        let hint = match &start {
            [b'P', b'K', ..] => "; it is a zip archive, as .npz files are",
            _ => "",
        };
        return Err(Problem::File(format!("is not a .npy file{hint}")));
    }
    let length = match start[6] {
        1 => {
            let mut bytes = [0; 2];
            from.read_exact(&mut bytes)?;
            u16::from_le_bytes(bytes).into()
        }
        2 | 3 => {
            let mut bytes = [0; 4];
            from.read_exact(&mut bytes)?;
            u32::from_le_bytes(bytes) as usize
        }
        major => {
            let version = format!("{major}.{}", start[7]);
            return Err(Problem::File(format!(
                "is in version {version} of the .npy format; 1.0 to 3.0 are known"
            )));
        }
    };
    if length > MAX_HEADER {
        return Err(Problem::File(format!(
            "has a header of {length} bytes, which no array of floats needs"
        )));
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let Some(header) = Text(&text).header() else {
        let shown = printable(text.trim());
        return Err(Problem::File(format!(
            "has a header that cannot be read: {shown}"
        )));
    };
    let dimensions = header.shape.dimensions.len();
    if dimensions > MAX_DIMENSIONS {
        return Err(Problem::File(format!(
            "has {dimensions} dimensions; {MAX_DIMENSIONS} are allowed"
        )));
    }
    Ok(header)
}

/// What is left of a header's text: a Python dictionary with three known keys.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn header(mut self) -> Option<Header> {
        let (mut descr, mut order, mut dimensions) = (None, None, None);
        self.token("{")?;
        while self.token("}").is_none() {
            let key = self.string()?;
            self.token(":")?;
            match key {
                "descr" => descr = Some(self.descr()?),
                "fortran_order" => order = Some(self.order()?),
                "shape" => dimensions = Some(self.dimensions()?),
                _ => return None,
            }
            self.token(",");
        }
        let shape = Shape {
            dimensions: dimensions?,
            order: order?,
        };
        self.0.trim().is_empty().then_some(())?;
        Some(Header {
            descr: descr?.into(),
            shape,
        })
    }

    fn token(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        let quote = if self.token("'").is_some() {
            '\''
        } else {
            self.token("\"").map(|()| '"')?
        };
        let (string, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        Some(string)
    }

    /// The element type. That of a record is a list, which is stepped over.
    fn descr(&mut self) -> Option<&'a str> {
        if !self.0.trim_start().starts_with('[') {
            return self.string();
        }
        let mut depth = 0;
        for (at, c) in self.0.char_indices() {
            depth += match c {
                '[' => 1,
                ']' => -1,
                _ => 0,
            };
            if c == ']' && depth == 0 {
                self.0 = &self.0[at + 1..];
                return Some("[]");
            }
        }
        None
    }

    fn order(&mut self) -> Option<Order> {
        match self.token("True") {
            Some(()) => Some(Order::Fortran),
            None => self.token("False").map(|()| Order::C),
        }
    }

    fn dimensions(&mut self) -> Option<Vec<u64>> {
        let mut dimensions = Vec::new();
        self.token("(")?;
        while self.token(")").is_none() {
            self.0 = self.0.trim_start();
            let digits = self.0.find(|c: char| !c.is_ascii_digit())?;
            let (number, rest) = self.0.split_at(digits);
            dimensions.push(number.parse().ok()?);
            // Python 2 writes its long integers so.
            self.0 = rest.strip_prefix('L').unwrap_or(rest);
            if self.token(",").is_none() {
                self.token(")")?;
                break;
            }
        }
        Some(dimensions)
    }
}

/// The start of a text from a file, fit for a message.
fn printable(text: &str) -> String {
    let shown = text.chars().take(80);
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// An element type for people: `<i4` is int32.
pub(super) fn name(descr: &str) -> String {
    let kind = |kind: &str| descr.get(1..).and_then(|rest| rest.strip_prefix(kind));
    let bits = |size: &str| {
        size.parse::<u32>()
            .ok()
            .and_then(|bytes| bytes.checked_mul(8))
    };
    let number = |prefix: &str, size: &str| bits(size).map(|bits| format!("{prefix}{bits}"));
    let known = match descr {
        "[]" => Some("records".into()),
        "|b1" => Some("bool".into()),
        "|O" => Some("Python objects".into()),
        "<V2" | "|V2" | "=V2" => Some("bf16".into()),
        _ => None,
    };
    let order = if descr.starts_with('>') {
        "big-endian "
    } else {
        ""
    };
    known
        .or_else(|| number("f", kind("f")?).map(|name| format!("{order}{name}")))
        .or_else(|| number("int", kind("i")?))
        .or_else(|| number("uint", kind("u")?))
        .or_else(|| number("complex", kind("c")?))
        .unwrap_or_else(|| format!("elements of type \"{}\"", printable(descr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_are_read() {
        for text in [
            "{'shape':(2,3),'fortran_order':True,'descr':'<f4'}",
            "{ \"descr\": \"<f4\" , \"fortran_order\" : True, 'shape': ( 2 , 3, ) , }  \n",
            "{'descr': '<f4', 'fortran_order': True, 'shape': (2L, 3L), }",
        ] {
            let header = Text(text).header().unwrap();
            assert_eq!(
                (header.descr.as_str(), header.shape),
                (
                    "<f4",
                    Shape {
                        dimensions: vec![2, 3],
                        order: Order::Fortran
                    }
                )
            );
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (L,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1LL,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
            "{'descr': [('a', '<f4'), 'fortran_order': False, 'shape': ()}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': ()} more",
        ] {
            assert!(Text(text).header().is_none(), "{text}");
        }
    }

    #[test]
    fn element_types_have_names() {
        let names = ["<i4", "|u1", ">f4", "<f2", "<V2", "<c16", "|b1", "[]"].map(name);
        assert_eq!(
            names,
            [
                "int32",
                "uint8",
                "big-endian f32",
                "f16",
                "bf16",
                "complex128",
                "bool",
                "records"
            ]
        );
        assert_eq!(name("<U7"), "elements of type \"<U7\"");
        assert_eq!(name("é"), "elements of type \"é\"");
    }
}
