//! NumPy's .npy files, as far as floats need them.
//!
//! The header is read here, not by a crate: it may come from anywhere, and must neither overflow a
//! product of dimensions nor make us allocate what the file does not hold. (npyz, which the tests
//! read results with, multiplies dimensions unchecked.)

mod header;

use crate::{Failure, Result};
use header::{Header, Problem, name, read_header};
use nonlin::half::{bf16, f16};
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
        let (order, kind) = descr.split_at_checked(1)?;
        let is_big = match order {
            "<" => false,
            ">" => true,
            // The byte order of whoever reads.
            "=" | "|" => cfg!(target_endian = "big"),
            _ => return None,
        };
        // Elements are cut to their size before they are decoded; the default is never seen. f64
        // holds all of them exactly, so that there is one rounding.
        let (name, bytes, decode): (_, _, fn(&[u8]) -> T) = match (kind, is_big) {
            ("f2", false) => ("f16", 2, |b| {
                of_f64(b.try_into().map_or(f16::ZERO, f16::from_le_bytes))
            }),
            ("f2", true) => ("f16", 2, |b| {
                of_f64(b.try_into().map_or(f16::ZERO, f16::from_be_bytes))
            }),
            ("f4", false) => ("f32", 4, |b| {
                of_f64(b.try_into().map_or(0.0, f32::from_le_bytes))
            }),
            ("f4", true) => ("f32", 4, |b| {
                of_f64(b.try_into().map_or(0.0, f32::from_be_bytes))
            }),
            ("f8", false) => ("f64", 8, |b| {
                of_f64(b.try_into().map_or(0.0, f64::from_le_bytes))
            }),
            ("f8", true) => ("f64", 8, |b| {
                of_f64(b.try_into().map_or(0.0, f64::from_be_bytes))
            }),
            // See `Written::V2`.
            ("V2", false) => ("bf16", 2, |b| {
                of_f64(b.try_into().map_or(bf16::ZERO, bf16::from_le_bytes))
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

/// How a file holds elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    F16,
    F32,
    /// bfloat16, which NumPy has not. What ml_dtypes and others write under this name NumPy reads as
    /// two bytes of no known meaning; `.view(ml_dtypes.bfloat16)` gives them back theirs.
    V2,
}

impl Written {
    /// How elements of a dtype are written, where nobody asks for another way: f32 holds the values of bf16.
    pub(crate) fn of(dtype: DType) -> Self {
        match dtype {
            DType::F16 => Written::F16,
            _ => Written::F32,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Written::F16 => "f16",
            Written::F32 => "f32",
            Written::V2 => "V2",
        }
    }

    /// NumPy's name.
    fn descr(self) -> &'static str {
        match self {
            Written::F16 => "<f2",
            Written::F32 => "<f4",
            Written::V2 => "<V2",
        }
    }

    /// Elements as the file holds them.
    pub(crate) fn bytes<T: Element>(self, elements: &[T]) -> Vec<u8> {
        let values = elements.iter().map(|element| element.to_f32());
        match self {
            Written::F16 => values
                .flat_map(|value| f16::from_f32(value).to_le_bytes())
                .collect(),
            Written::F32 => values.flat_map(f32::to_le_bytes).collect(),
            Written::V2 => values
                .flat_map(|value| bf16::from_f32(value).to_le_bytes())
                .collect(),
        }
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
            "{at} holds {name}; f16, bf16, f32 or f64 is needed"
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

    let found = read_elements(&mut file.by_ref().take(bytes), &storage, &mut data);
    let found = found.map_err(failed)?;
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

/// Reads elements until the input ends, and says of how many bytes.
fn read_elements<T>(
    from: &mut impl Read,
    storage: &Storage<T>,
    data: &mut Vec<T>,
) -> io::Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut found = 0;
    loop {
        let filled = fill(from, &mut piece)?;
        found += filled as u64;
        let elements = piece[..filled].chunks_exact(storage.bytes);
        data.extend(elements.map(storage.decode));
        if filled < PIECE {
            return Ok(found);
        }
    }
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
    pub(crate) fn header(&self, written: Written) -> Vec<u8> {
        let descr = written.descr();
        let (fortran, growing) = match self.order {
            Order::C => ("False", self.dimensions.first()),
            Order::Fortran => ("True", self.dimensions.last()),
        };
        let shape = self.text();
        let mut text =
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
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
                let bytes = shape.header(Written::F32);
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
            let bytes = shape(&[3], Order::C).header(Written::of(dtype));
            assert_eq!(read_header(&mut &bytes[..]).unwrap().descr, descr);
        }
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
