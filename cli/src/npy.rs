//! NumPy's .npy files, as far as floats need them.
//!
//! The header is read here, not by a crate: it may come from anywhere, and must neither overflow a
//! product of dimensions nor make us allocate what the file does not hold.

use crate::{Failure, Result};
use nonlin::half::f16;
use nonlin::{DType, Element};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Which axis varies fastest in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The last.
    C,
    /// The first.
    Fortran,
}

/// Dimensions and their order: all that results have in common with the array they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) dimensions: Vec<u64>,
    pub(crate) order: Order,
}

/// An array in memory, in the order of its file.
#[derive(Debug)]
pub(crate) struct Array<T> {
    pub(crate) shape: Shape,
    pub(crate) data: Vec<T>,
    /// What the file holds, where that is another type.
    pub(crate) converted: Option<&'static str>,
}

/// As many as NumPy allows.
const MAX_DIMENSIONS: usize = 64;

/// A header is a line of text; NumPy itself refuses those beyond 10,000 bytes.
const MAX_HEADER: usize = 1 << 16;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Bytes read at one time.
const PIECE: usize = 1 << 20;

/// How an element is stored.
struct Storage<T> {
    name: &'static str,
    bytes: usize,
    decode: fn(&[u8]) -> T,
}

impl<T: Element> Storage<T> {
    fn of(descr: &str) -> Option<Self> {
        // Elements are cut to their size before they are decoded; the default is never seen. f64
        // holds all of them exactly, so that there is one rounding.
        let (name, bytes, decode): (_, _, fn(&[u8]) -> T) = match descr {
            "<f2" => ("f16", 2, |b| {
                of_f64(b.try_into().map_or(f16::ZERO, f16::from_le_bytes))
            }),
            ">f2" => ("f16", 2, |b| {
                of_f64(b.try_into().map_or(f16::ZERO, f16::from_be_bytes))
            }),
            "<f4" => ("f32", 4, |b| {
                of_f64(b.try_into().map_or(0.0, f32::from_le_bytes))
            }),
            ">f4" => ("f32", 4, |b| {
                of_f64(b.try_into().map_or(0.0, f32::from_be_bytes))
            }),
            "<f8" => ("f64", 8, |b| {
                of_f64(b.try_into().map_or(0.0, f64::from_le_bytes))
            }),
            ">f8" => ("f64", 8, |b| {
                of_f64(b.try_into().map_or(0.0, f64::from_be_bytes))
            }),
            _ => return None,
        };
        Some(Storage {
            name,
            bytes,
            decode,
        })
    }
}

fn of_f64<T: Element>(value: impl Into<f64>) -> T {
    T::from_f64(value.into())
}

/// The dtype in which elements of another are written: NumPy has no bf16, and f32 holds its values.
pub(crate) fn written_as(dtype: DType) -> DType {
    match dtype {
        DType::F16 => DType::F16,
        _ => DType::F32,
    }
}

/// Elements as a file holds them.
pub(crate) fn bytes<T: Element>(elements: &[T]) -> Vec<u8> {
    let values = elements.iter().map(|element| element.to_f32());
    match written_as(T::DTYPE) {
        DType::F16 => values
            .flat_map(|value| f16::from_f32(value).to_le_bytes())
            .collect(),
        _ => values.flat_map(f32::to_le_bytes).collect(),
    }
}

/// Reads a file whole.
pub(crate) fn read<T: Element>(path: &Path) -> Result<Array<T>> {
    let at = path.display();
    let failed = |error| Failure::io(format_args!("cannot read {at}"), error);
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let header = read_header(&mut file).map_err(|problem| match problem {
        Problem::Io(error) => failed(error),
        Problem::File(problem) => Failure(format!("{at} {problem}")),
    })?;
    let Header { descr, shape } = header;
    let Some(storage) = Storage::<T>::of(&descr) else {
        let name = name(&descr);
        return Err(Failure(format!(
            "{at} holds {name}; f16, f32 or f64 is needed"
        )));
    };

    let needs = format!("{} of {} needs", shape.text(), name(&descr));
    let count = count(&shape.dimensions);
    let bytes = count.and_then(|count| count.checked_mul(storage.bytes as u64));
    let (Some(count), Some(bytes)) = (count, bytes) else {
        return Err(Failure(format!(
            "{at} is truncated: {needs} more than 2^64 bytes"
        )));
    };
    // What the file cannot hold is not reserved, whatever its header says.
    let reserve = usize::try_from(count.min(size / storage.bytes as u64));
    let mut data = Vec::new();
    if reserve.is_err() || reserve.is_ok_and(|count| data.try_reserve_exact(count).is_err()) {
        return Err(Failure(format!(
            "{at} does not fit in memory: {needs} {bytes} bytes"
        )));
    }

    let mut rest = file.by_ref().take(bytes);
    let mut piece = vec![0; PIECE];
    let mut found = 0;
    loop {
        let filled = fill(&mut rest, &mut piece).map_err(failed)?;
        found += filled as u64;
        data.extend(
            piece[..filled]
                .chunks_exact(storage.bytes)
                .map(storage.decode),
        );
        if filled < PIECE {
            break;
        }
    }
    if found < bytes {
        return Err(Failure(format!(
            "{at} is truncated: {needs} {bytes} bytes of data, and {found} are there"
        )));
    }
    let trailing = io::copy(&mut file, &mut io::sink()).map_err(failed)?;
    if trailing > 0 {
        return Err(Failure(format!(
            "{at} is too long: {needs} {bytes} bytes of data, and {} are there",
            bytes + trailing
        )));
    }
    Ok(Array {
        shape,
        data,
        converted: Some(storage.name).filter(|name| *name != T::DTYPE.name()),
    })
}

/// Reads until the buffer is full or the input ends.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The number of elements; None where it is beyond u64.
pub(crate) fn count(dimensions: &[u64]) -> Option<u64> {
    if dimensions.contains(&0) {
        return Some(0);
    }
    dimensions
        .iter()
        .try_fold(1, |product: u64, d| product.checked_mul(*d))
}

/// Dimensions as Python writes them: `()`, `(3,)`, `(3, 4)`.
pub(crate) fn text(dimensions: &[u64]) -> String {
    let all: Vec<_> = dimensions.iter().map(u64::to_string).collect();
    let comma = if all.len() == 1 { "," } else { "" };
    format!("({}{comma})", all.join(", "))
}

impl Shape {
    pub(crate) fn text(&self) -> String {
        text(&self.dimensions)
    }

    /// What stands before the data in a file, byte for byte as NumPy writes it.
    pub(crate) fn header(&self, dtype: DType) -> Vec<u8> {
        let size = written_as(dtype).size();
        let (fortran, growing) = match self.order {
            Order::C => ("False", self.dimensions.first()),
            Order::Fortran => ("True", self.dimensions.last()),
        };
        let shape = self.text();
        let mut text =
            format!("{{'descr': '<f{size}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        // NumPy leaves room for the axis that an appending program would make longer.
        if let Some(axis) = growing {
            _ = write!(text, "{:1$}", "", 21 - axis.to_string().len());
        }
        let before = MAGIC.len() + 4;
        let padding = 64 - (before + text.len() + 1) % 64;
        _ = writeln!(text, "{:padding$}", "");
        let length = text.len() as u16;
        [MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat()
    }

    /// How far apart neighbours along each axis are, in elements.
    fn strides(&self) -> Vec<usize> {
        let mut strides = vec![0; self.dimensions.len()];
        let mut stride = 1;
        for axis in self.axes() {
            strides[axis] = stride;
            stride *= self.dimensions[axis] as usize;
        }
        strides
    }

    /// The axes, the fastest first.
    fn axes(&self) -> Vec<usize> {
        let axes = 0..self.dimensions.len();
        match self.order {
            Order::C => axes.rev().collect(),
            Order::Fortran => axes.collect(),
        }
    }
}

impl<T: Copy> Array<T> {
    /// The same array with its elements in another order.
    pub(crate) fn in_order(self, order: Order) -> Self {
        if self.shape.order == order || self.data.is_empty() {
            return self;
        }
        let target = Shape {
            dimensions: self.shape.dimensions.clone(),
            order,
        };
        let strides = self.shape.strides();
        let axes = target.axes();
        let mut index = vec![0; axes.len()];
        let mut from = 0;
        let mut data = Vec::with_capacity(self.data.len());
        for _ in 0..self.data.len() {
            data.push(self.data[from]);
            for &axis in &axes {
                index[axis] += 1;
                from += strides[axis];
                if index[axis] < target.dimensions[axis] as usize {
                    break;
                }
                from -= strides[axis] * index[axis];
                index[axis] = 0;
            }
        }
        Array {
            shape: target,
            data,
            ..self
        }
    }
}

/// A header's contents.
#[derive(Debug)]
struct Header {
    /// NumPy's name of the element type.
    descr: String,
    shape: Shape,
}

/// Why a header cannot be read; the text goes on from the file's name.
#[derive(Debug)]
enum Problem {
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

fn read_header(from: &mut impl Read) -> std::result::Result<Header, Problem> {
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
            self.0 = rest;
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
fn name(descr: &str) -> String {
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

    fn shape(dimensions: &[u64], order: Order) -> Shape {
        Shape {
            dimensions: dimensions.to_vec(),
            order,
        }
    }

    #[test]
    fn headers_read_back() {
        for order in [Order::C, Order::Fortran] {
            for dimensions in [&[][..], &[0], &[7], &[2, 3], &[5, 0, u64::MAX]] {
                let shape = shape(dimensions, order);
                let bytes = shape.header(DType::F32);
                assert_eq!(bytes.len() % 64, 0);
                let header = read_header(&mut &bytes[..]).unwrap();
                assert_eq!((header.descr.as_str(), header.shape), ("<f4", shape));
            }
        }
    }

    #[test]
    fn the_header_names_what_is_written() {
        for (dtype, descr) in [
            (DType::F32, "<f4"),
            (DType::F16, "<f2"),
            (DType::BF16, "<f4"),
        ] {
            let bytes = shape(&[3], Order::C).header(dtype);
            assert_eq!(read_header(&mut &bytes[..]).unwrap().descr, descr);
        }
    }

    #[test]
    fn other_spellings_are_read() {
        for text in [
            "{'shape':(2,3),'fortran_order':True,'descr':'<f4'}",
            "{ \"descr\": \"<f4\" , \"fortran_order\" : True, 'shape': ( 2 , 3, ) , }  \n",
        ] {
            let header = Text(text).header().unwrap();
            assert_eq!(
                (header.descr.as_str(), header.shape),
                ("<f4", shape(&[2, 3], Order::Fortran))
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
        let names = ["<i4", "|u1", ">f4", "<f2", "<c16", "|b1", "[]"].map(name);
        assert_eq!(
            names,
            [
                "int32",
                "uint8",
                "big-endian f32",
                "f16",
                "complex128",
                "bool",
                "records"
            ]
        );
        assert_eq!(name("<U7"), "elements of type \"<U7\"");
        assert_eq!(name("é"), "elements of type \"é\"");
    }

    #[test]
    fn orders_turn_into_each_other() {
        // Element (i, j, k) of a 2 x 3 x 4 array is 100 i + 10 j + k.
        let dimensions = [2, 3, 4];
        let c: Vec<f32> = (0..24)
            .map(|n| (n / 12 * 100 + n / 4 % 3 * 10 + n % 4) as f32)
            .collect();
        let fortran: Vec<f32> = (0..24)
            .map(|n| (n % 2 * 100 + n / 2 % 3 * 10 + n / 6) as f32)
            .collect();
        let array = |order, data: &Vec<f32>| Array {
            shape: shape(&dimensions, order),
            data: data.clone(),
            converted: None,
        };
        assert_eq!(array(Order::C, &c).in_order(Order::Fortran).data, fortran);
        assert_eq!(array(Order::Fortran, &fortran).in_order(Order::C).data, c);
        assert_eq!(array(Order::C, &c).in_order(Order::C).data, c);
    }
}
