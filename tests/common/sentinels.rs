//! Buffers with sentinels around the operands and poison in the output.

use super::{download, upload};
use libtest_mimic::Failed;
use nonlin::{Chain, Gpu, Operand, Pass};

/// A NaN that no kernel writes: what still holds it was not touched.
pub(crate) const SENTINEL: u32 = 0x7fed_cba9;

/// A chain whose values are exact in f32: every byte of the result is known.
pub(crate) fn chain() -> Chain {
    Chain::new().scale(2.0).act(nonlin::Activation::LeakyRelu {
        negative_slope: 0.5,
    })
}

pub(crate) fn value(x: f32) -> f32 {
    if x > 0.0 { 2.0 * x } else { x }
}

pub(crate) fn slope(x: f32, dy: f32) -> f32 {
    if x > 0.0 { 2.0 * dy } else { dy }
}

/// Where operands lie: the element at which each begins, and whether all lie in one buffer.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub(crate) first: [usize; 3],
    pub(crate) one_buffer: bool,
    /// Elements behind the last operand: none means that a buffer ends where its operand does.
    pub(crate) behind: usize,
}

pub(crate) fn input(i: usize) -> f32 {
    (i as f32 - 7.5) * [1.0, -1.0][i % 2]
}

/// Has a pass run at these places, by whatever `execute` does with its operands, and compares every word
/// of every buffer with what must be there.
pub(crate) fn run(
    gpu: &Gpu,
    pass: Pass,
    len: usize,
    places: Places,
    execute: impl FnOnce(&[Operand<'_>]) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let count = pass.operands().len();
    let filled = |operand: usize| -> Vec<u32> {
        let is_output = operand == count - 1;
        let dy = |i: usize| (i % 5) as f32 - 2.0;
        let word = |i| {
            if operand == 0 {
                input(i).to_bits()
            } else {
                dy(i).to_bits()
            }
        };
        (0..len)
            .map(|i| if is_output { SENTINEL } else { word(i) })
            .collect()
    };
    let wanted: Vec<u32> = (0..len)
        .map(|i| match pass {
            Pass::Forward => value(input(i)).to_bits(),
            Pass::Backward => slope(input(i), (i % 5) as f32 - 2.0).to_bits(),
        })
        .collect();

    // One text per buffer, of sentinels with the operands in it; in one buffer they follow each other.
    let mut texts: Vec<Vec<u32>> = Vec::new();
    let mut starts = Vec::new();
    for operand in 0..count {
        let mut text = if places.one_buffer {
            texts.pop().unwrap_or_default()
        } else {
            Vec::new()
        };
        let start = text.len() + places.first[operand];
        text.resize(start, SENTINEL);
        text.extend(filled(operand));
        text.resize(text.len() + places.behind, SENTINEL);
        starts.push(start);
        texts.push(text);
    }
    texts
        .iter_mut()
        .for_each(|text| text.resize(text.len().max(1), SENTINEL));
    let buffers: Vec<_> = texts.iter().map(|text| upload(gpu, text)).collect();
    let buffer = |operand: usize| &buffers[operand.min(buffers.len() - 1)];
    let at = |operand| Operand::new(buffer(operand), starts[operand] as u64 * 4, len as u64);
    let operands: Vec<_> = (0..count).map(at).collect();
    execute(&operands)?;

    let last = texts.len() - 1;
    texts[last][starts[count - 1]..][..len].copy_from_slice(&wanted);
    for (index, (buffer, text)) in buffers.iter().zip(&texts).enumerate() {
        let found = download(gpu, buffer);
        if let Some(i) = (0..text.len()).find(|i| found[*i] != text[*i]) {
            let (found, wanted) = (found[i], text[i]);
            return Err(format!(
                "{pass}, {len} elements at {:?}: word {i} of buffer {index} is {found:#010x}, not {wanted:#010x}",
                places.first
            )
            .into());
        }
    }
    Ok(())
}
