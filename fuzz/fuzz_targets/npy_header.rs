//! Bytes as .npy files, by the command's own reader. `-malloc_limit_mb=2` holds it to not reserving what a file does not
//! have. Every input is a file for a moment: with TMPDIR=/dev/shm, one in memory.

#![no_main]

use nonlin::Element;
use nonlin::half::{bf16, f16};
use npy::{Order, Written};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

#[path = "../../cli/src"]
mod cli {
    #[allow(dead_code, reason = "the command uses all of it")]
    pub(crate) mod npy;
}
use cli::npy;

/// As the command has it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn io(doing: impl std::fmt::Display, error: std::io::Error) -> Self {
        Failure(format!("{doing}: {error}"))
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("nonlin_fuzz_{}.npy", std::process::id())));

fn check<T: Element>(bytes: &[u8]) {
    fs::write(&*FILE, bytes).unwrap();
    let array = match npy::read::<T>(&FILE) {
        Ok(array) => array,
        Err(Failure(message)) => {
            assert!(!message.contains(char::is_control), "{message:?}");
            return;
        }
    };
    let count = array.data.len() as u64;
    assert_eq!(npy::count(&array.shape.dimensions), Some(count));
    assert!(count <= bytes.len() as u64);

    // Written, it reads as the same.
    let shape = array.shape.clone();
    let written = Written::of(T::DTYPE);
    let bytes = [shape.header(written), written.bytes(&array.data)].concat();
    fs::write(&*FILE, bytes).unwrap();
    let again = npy::read::<T>(&FILE).unwrap();
    assert_eq!(again.shape, shape);
    assert!(is_same(&array.data, &again.data));

    // Turned, and turned back.
    let other = match shape.order {
        Order::C => Order::Fortran,
        Order::Fortran => Order::C,
    };
    let back = again.in_order(other).in_order(shape.order);
    assert!(is_same(&array.data, &back.data));
}

fn is_same<T: Element>(a: &[T], b: &[T]) -> bool {
    let is_same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let mut pairs = a.iter().zip(b);
    a.len() == b.len() && pairs.all(|(a, b)| is_same(a.to_f32(), b.to_f32()))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check::<f32>(bytes);
    check::<f16>(bytes);
    check::<bf16>(bytes);
});
