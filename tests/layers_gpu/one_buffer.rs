//! All operands of a layer in one buffer, at odd places.

use crate::common::{download, submit, upload};
use crate::layer_trials::Trial;
use crate::{TRAINING, compare, quick_layers, trial, wanted, wide};
use libtest_mimic::Failed;
use nonlin::check::ExpectedLayer;
use nonlin::layers::{Images, Layer};
use nonlin::{Element, Gpu, LayerOperands, Operand, Pass};
use std::collections::BTreeMap;

/// Bytes of a NaN that no kernel writes.
const SENTINEL: u32 = 0x7fed_7fa9;

/// An arena: one buffer with all operands, sentinels between them.
struct Arena {
    words: Vec<u32>,
    places: BTreeMap<&'static str, (u64, u64)>,
}

impl Arena {
    /// Makes room for `count` elements of `size` bytes, `ahead` elements behind what is there; a NaN that no
    /// kernel writes is in it, or `bytes`.
    fn put(&mut self, name: &'static str, ahead: u64, count: u64, size: u64, bytes: Option<&[u8]>) {
        let start = (self.words.len() as u64 * 4 + 32).next_multiple_of(16) + ahead * size;
        let end = start + count * size;
        self.words.resize(end.div_ceil(4) as usize + 8, SENTINEL);
        if let Some(bytes) = bytes {
            let all: &mut [u8] = bytemuck::cast_slice_mut(&mut self.words);
            all[start as usize..end as usize].copy_from_slice(bytes);
        }
        self.places.insert(name, (start, count));
    }

    fn at<'a>(&self, buffer: &'a nonlin::wgpu::Buffer, name: &str) -> Operand<'a> {
        let (offset, len) = self.places[name];
        Operand::new(buffer, offset, len)
    }

    fn values<T: Element>(&self, words: &[u32], name: &str) -> Vec<f64> {
        let (offset, len) = self.places[name];
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let end = offset + len * T::DTYPE.size();
        let values: Vec<T> = bytemuck::pod_collect_to_vec(&bytes[offset as usize..end as usize]);
        wide(&values)
    }
}

/// All operands in one buffer, each of the images' one element off a whole word, with sentinels that stay.
pub(crate) fn at_odd_places<T: Element>(gpu: &Gpu) -> Result<(), Failed> {
    let layers = quick_layers(gpu, Some(TRAINING));
    for (index, layer) in layers.into_iter().enumerate() {
        for images in [Images::nchw(2, 3, 5, 3), Images::nhwc(2, 3, 5, 4)] {
            let mut trial = trial(layer.clone(), images, index as u64);
            let want = wanted::<T>(&mut trial);
            in_one_buffer::<T>(gpu, &trial.layer, &trial, &want)?;
        }
    }
    Ok(())
}

fn in_one_buffer<T: Element>(
    gpu: &Gpu,
    layer: &Layer,
    trial: &Trial,
    want: &ExpectedLayer,
) -> Result<(), Failed> {
    let plan = |pass| gpu.kernels().layer(layer, &trial.images, pass, T::DTYPE);
    let (forward, backward) = (plan(Pass::Forward)?, plan(Pass::Backward)?);
    let mut arena = Arena {
        words: Vec::new(),
        places: BTreeMap::new(),
    };
    let stored = |values: &[f32]| -> Vec<u8> {
        let values: Vec<T> = values.iter().map(|v| T::from_f64(f64::from(*v))).collect();
        bytemuck::cast_slice(&values).to_vec()
    };
    let mut parameters: Vec<f32> = Vec::new();
    for (parameter, range) in forward.parameters() {
        assert_eq!(range.start, parameters.len() as u64);
        let values = trial.parameters.get(&parameter.name).unwrap();
        parameters.extend(values.iter().map(|v| *v as f32));
    }
    let (elements, size) = (trial.x.len() as u64, T::DTYPE.size());
    arena.put("x", 1, elements, size, Some(&stored(&trial.x)));
    arena.put("dy", 3, elements, size, Some(&stored(&trial.dy)));
    arena.put("y", 1, elements, size, None);
    arena.put("dx", 1, elements, size, None);
    let count = parameters.len() as u64;
    arena.put(
        "parameters",
        1,
        count,
        4,
        Some(bytemuck::cast_slice(&parameters)),
    );
    arena.put("gradients", 1, count, 4, None);
    arena.put("saved", 1, forward.saved_len(), 4, None);
    let scratch = forward.scratch_len().max(backward.scratch_len());
    arena.put("scratch", 1, scratch, 4, None);

    let buffer = upload(gpu, &arena.words);
    let scratch = |len| Operand::new(&buffer, arena.places["scratch"].0, len);
    let common = || {
        let operands = LayerOperands::new().x(arena.at(&buffer, "x"));
        let operands = operands.parameters(arena.at(&buffer, "parameters"));
        operands.saved(arena.at(&buffer, "saved"))
    };
    let given = common().y(arena.at(&buffer, "y"));
    let first = forward.bind(given.scratch(scratch(forward.scratch_len())))?;
    let given = common()
        .dy(arena.at(&buffer, "dy"))
        .dx(arena.at(&buffer, "dx"));
    let given = given.gradients(arena.at(&buffer, "gradients"));
    let second = backward.bind(given.scratch(scratch(backward.scratch_len())))?;
    assert_eq!(first.scratch_bytes() + second.scratch_bytes(), 0);
    submit(gpu, |pass| {
        first.record(pass);
        second.record(pass);
    });

    let words = download(gpu, &buffer);
    let mut got = BTreeMap::from([
        ("y".to_owned(), arena.values::<T>(&words, "y")),
        ("d.x".to_owned(), arena.values::<T>(&words, "dx")),
    ]);
    let new = arena.values::<f32>(&words, "parameters");
    let gradients = arena.values::<f32>(&words, "gradients");
    for (parameter, range) in forward.parameters() {
        let range = range.start as usize..range.end as usize;
        let (prefix, values) = match parameter.learned {
            true => ("d", &gradients[range.clone()]),
            false => ("new", &new[range.clone()]),
        };
        got.insert(format!("{prefix}.{}", parameter.name), values.to_vec());
        let untouched = if parameter.learned { &new } else { &gradients };
        let (before, bytes): (Vec<f64>, _) = match parameter.learned {
            true => (wide(&parameters), "parameters"),
            false => (arena.values::<f32>(&arena.words, "gradients"), "gradients"),
        };
        let same = |a: &f64, b: &f64| a.to_bits() == b.to_bits();
        if !range.clone().all(|i| same(&untouched[i], &before[i])) {
            return Err(format!("{bytes} of {} changed", parameter.name).into());
        }
    }
    compare::<T>(want, &got).map_err(|failed| {
        Failed::from(format!("{} {:?}: {failed:?}", layer.name(), trial.images))
    })?;
    untouched(&arena, &words, size)
}

/// Every byte that belongs to no operand that is written is as it was.
fn untouched(arena: &Arena, words: &[u32], size: u64) -> Result<(), Failed> {
    let (before, after): (&[u8], &[u8]) = (
        bytemuck::cast_slice(&arena.words),
        bytemuck::cast_slice(words),
    );
    let written = ["y", "dx", "parameters", "gradients", "saved", "scratch"];
    let size_of = |name: &str| if name == "y" || name == "dx" { size } else { 4 };
    for byte in 0..before.len() as u64 {
        let inside = |name: &&str| {
            let (start, count) = arena.places[*name];
            (start..start + count * size_of(name)).contains(&byte)
        };
        if !written.iter().any(inside) && before[byte as usize] != after[byte as usize] {
            return Err(format!("byte {byte} of {:?} changed", arena.places).into());
        }
    }
    Ok(())
}
