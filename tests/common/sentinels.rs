//! Buffers with sentinels around the operands and poison in the output.

use super::{download, upload};
use libtest_mimic::Failed;
use nonlin::{Chain, DType, Gpu, Operand, Pass, half};

/// Bytes of a NaN, in each dtype, that no kernel writes: what still holds them was not touched.
pub(crate) const SENTINEL: [u8; 4] = [0xa9, 0x7f, 0xed, 0x7f];

/// A chain whose values are exact in every dtype for these inputs: every byte of the result is known.
pub(crate) fn chain() -> Chain {
    Chain::new().scale(2.0).act(nonlin::Activation::LeakyRelu {
        negative_slope: 0.5,
    })
}

pub(crate) fn value(x: f32) -> f32 {
    if x > 0.0 { 2.0 * x } else { x }
}

fn slope(x: f32, dy: f32) -> f32 {
    if x > 0.0 { 2.0 * dy } else { dy }
}

pub(crate) fn input(i: usize) -> f32 {
    ((i % 61) as f32 - 30.5) * [1.0, -1.0][i % 2]
}

fn gradient(i: usize) -> f32 {
    (i % 5) as f32 - 2.0
}

/// Where operands lie: the element at which each begins, and whether all lie in one buffer.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub(crate) first: [usize; 3],
    pub(crate) one_buffer: bool,
    /// Elements behind each operand: none means that a buffer may end where its operand does.
    pub(crate) behind: usize,
    /// The input, by index, whose place the output takes.
    pub(crate) in_place: Option<usize>,
}

fn bytes(dtype: DType, value: f32) -> Vec<u8> {
    match dtype {
        DType::F32 => value.to_le_bytes().to_vec(),
        DType::F16 => half::f16::from_f64(value.into()).to_le_bytes().to_vec(),
        _ => half::bf16::from_f64(value.into()).to_le_bytes().to_vec(),
    }
}

/// Has a pass run at these places, by whatever `execute` does with its operands, and compares every byte
/// of every buffer with what must be there.
pub(crate) fn run(
    gpu: &Gpu,
    pass: Pass,
    dtypes: &[DType],
    len: usize,
    places: Places,
    execute: impl FnOnce(&[Operand<'_>]) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let output = pass.operands().len() - 1;
    let wanted: Vec<u8> = (0..len)
        .map(|i| match pass {
            Pass::Forward => value(input(i)),
            _ => slope(input(i), gradient(i)),
        })
        .flat_map(|value| bytes(dtypes[output], value))
        .collect();

    // One text per buffer, of sentinels with the operands in it; in one buffer they follow each other.
    let poison = |count: usize| SENTINEL.into_iter().cycle().take(count);
    let mut texts: Vec<Vec<u8>> = Vec::new();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for operand in 0..=output {
        if let Some(input) = places.in_place.filter(|_| operand == output) {
            found.push(found[input]);
            continue;
        }
        let size = dtypes[operand].size() as usize;
        let mut text = if places.one_buffer {
            texts.pop().unwrap_or_default()
        } else {
            Vec::new()
        };
        let start = text.len().next_multiple_of(size) + places.first[operand] * size;
        text.extend(poison(start - text.len()));
        match operand {
            _ if operand == output => text.extend(poison(len * size)),
            0 => text.extend((0..len).flat_map(|i| bytes(dtypes[0], input(i)))),
            _ => text.extend((0..len).flat_map(|i| bytes(dtypes[1], gradient(i)))),
        }
        text.extend(poison(places.behind * size));
        texts.push(text);
        found.push((texts.len() - 1, start));
    }
    // Buffers have whole words, and more than none.
    for text in &mut texts {
        let size = text.len().next_multiple_of(4).max(4);
        text.extend(poison(size - text.len()));
    }
    let buffers: Vec<_> = texts
        .iter()
        .map(|text| upload(gpu, &bytemuck::pod_collect_to_vec(text)))
        .collect();
    let operands: Vec<_> = found
        .iter()
        .map(|(buffer, start)| Operand::new(&buffers[*buffer], *start as u64, len as u64))
        .collect();
    execute(&operands)?;

    let (buffer, start) = found[output];
    texts[buffer][start..][..wanted.len()].copy_from_slice(&wanted);
    for (index, (buffer, text)) in buffers.iter().zip(&texts).enumerate() {
        let words = download(gpu, buffer);
        let found: &[u8] = bytemuck::cast_slice(&words);
        if let Some(i) = (0..text.len()).find(|i| found[*i] != text[*i]) {
            let (found, wanted) = (found[i], text[i]);
            return Err(format!(
                "{pass} {dtypes:?}, {len} elements at {:?}: byte {i} of buffer {index} is {found:#04x}, not {wanted:#04x}",
                places.first
            )
            .into());
        }
    }
    Ok(())
}
