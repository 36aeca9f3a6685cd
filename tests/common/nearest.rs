//! What mpmath says of all 65,536 inputs of f16 and bf16 (tools/round16.py): a hash for each activation, pass and dtype.

use nonlin::{Activation, Element, Pass};

/// A line of tests/data/round16.txt.
pub(crate) struct Line {
    pub(crate) activation: Activation,
    pub(crate) pass: Pass,
    pub(crate) dtype: &'static str,
    pub(crate) hash: u64,
}

/// All lines; every activation has four.
pub(crate) fn lines() -> Vec<Line> {
    let lines = include_str!("../data/round16.txt").lines();
    let lines: Vec<Line> = lines
        .map(|line| {
            let words: Vec<&'static str> = line.split(' ').collect();
            let [name, pass, dtype, hash] = words[..] else {
                panic!("not four words: {line}");
            };
            let pass = Pass::FROM_X.into_iter().find(|p| p.to_string() == pass);
            Line {
                activation: Activation::by_name(name).expect("a known activation"),
                pass: pass.expect("a known pass"),
                dtype,
                hash: u64::from_str_radix(hash, 16).expect("a hash"),
            }
        })
        .collect();
    assert_eq!(
        lines.len(),
        4 * Activation::ALL.len(),
        "every activation, pass and dtype"
    );
    lines
}

/// All values of a 16-bit dtype.
pub(crate) fn every_half<T: Element>() -> Vec<T> {
    let patterns: Vec<u16> = (0..=u16::MAX).collect();
    bytemuck::cast_slice(&patterns).to_vec()
}

/// 64-bit FNV-1a over the results' bytes, NaN being one NaN, and zero without its sign.
pub(crate) fn hash<T: Element>(results: &[T]) -> u64 {
    let nan = if T::DTYPE.to_string() == "f16" {
        0x7e00
    } else {
        0x7fc0
    };
    let bits: Vec<u16> = bytemuck::cast_slice(results).to_vec();
    let mut state = 0xcbf2_9ce4_8422_2325u64;
    for (bits, value) in bits.into_iter().zip(results) {
        let bits = match bits {
            _ if value.to_f32().is_nan() => nan,
            0x8000 => 0,
            bits => bits,
        };
        for byte in bits.to_le_bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    state
}
