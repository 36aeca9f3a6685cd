//! Chains with a step over whole rows, on every adapter, against the f64 reference.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use common::{Share, Trials, download, small_bindings, submit, upload, verdict};
use libtest_mimic::Failed;
use nonlin::check::{self, Expected};
use nonlin::half::{bf16, f16};
use nonlin::{
    Broadcast, Chain, Element, Gpu, Kernels, Layout, Limits, Operand, Operands, Pass, Rows, Values,
    reference,
};

/// A number between -1 and 1 that looks random, and is the same each time.
fn noise(seed: u64, index: usize) -> f32 {
    let mut z = (index as u64 ^ seed << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z >> 40) as f32 / (1u64 << 23) as f32) - 1.0
}

fn stored<T: Element>(value: f32) -> T {
    T::from_f64(f64::from(value))
}

/// Samples, columns, and rows between the elements of a row.
type Shape = (u64, u64, u64);

/// One lane to a row, some, sixteen, all 64, 256; in words of four and not; rows beside each other; a row of one.
const SHAPES: [Shape; 16] = [
    (3, 8, 1),
    (5, 7, 1),
    (300, 2, 1),
    (70, 1, 1),
    (17, 64, 1),
    (9, 130, 1),
    (6, 256, 1),
    (5, 1024, 1),
    (3, 4096, 1),
    (2, 4097, 1),
    (2, 9000, 1),
    (1, 70_000, 1),
    (2, 100, 3),
    (4, 33, 5),
    (1, 16, 64),
    (3, 4, 130),
];

const CHAINS: [&str; 14] = [
    "softmax",
    "log_softmax",
    "hardmax",
    "rms_norm",
    "layer_norm",
    "softmax(sink=0)",
    "scale(0.5) | causal(0) | softmax | dropout(0.3)",
    "causal(-2) | log_softmax",
    "tanh | scale(30) | softmax(sink=@k)",
    "scale(@s) | residual(@r) | softmax | scale(@w)",
    "rms_norm(eps=0.01) | scale(@w) | gate(@g | silu)",
    "gelu | layer_norm(eps=0.1) | scale(@w) | bias(@b)",
    "scale(@s) | log_softmax | bias(@b)",
    "bias(@w) | softmax(sink=@k) | gate(@g) | scale(@s)",
];

fn layout((outer, channels, inner): Shape) -> Layout {
    Layout {
        outer,
        channels,
        inner,
    }
}

/// What operands of these names have: one value, one for each column, or one for each element.
fn values<T: Element>(chain: &Chain, shape: Shape) -> Values {
    let (outer, columns, inner) = shape;
    let mut values = Values::new()
        .layout(layout(shape))
        .queries((outer * inner).div_ceil(2))
        .random(7, 1 << 33);
    for name in chain.operands() {
        let count = match name {
            "s" | "k" => 1,
            "w" | "b" => columns,
            _ => outer * columns * inner,
        };
        let seed = name.bytes().map(u64::from).sum();
        let data: Vec<T> = (0..count as usize)
            .map(|i| stored(1.0 + 0.5 * noise(seed, i)))
            .collect();
        values = values.arg(name, &data);
    }
    values
}

fn inputs<T: Element>((outer, columns, inner): Shape) -> (Vec<T>, Vec<T>) {
    let len = (outer * columns * inner) as usize;
    let x = (0..len).map(|i| stored(4.0 * noise(1, i)));
    (x.collect(), (0..len).map(|i| stored(noise(2, i))).collect())
}

/// Forward, backward, all gradients, and backward from y where that can be had.
fn agrees<T: Element>(gpu: &Gpu, text: &str, shape: Shape) -> Result<(), Failed> {
    let chain: Chain = text.parse()?;
    let (x, dy) = inputs::<T>(shape);
    let values = values::<T>(&chain, shape);
    let context = |pass: &str, result: Result<(), Failed>| {
        result.map_err(|e| {
            let told = e.message().unwrap_or_default();
            Failed::from(format!("{chain} {shape:?} {} {pass}: {told}", T::DTYPE))
        })
    };
    let y = gpu.forward_with(&chain, &x, &values)?;
    let expected = Expected::forward_with(&chain, &x, &values)?;
    context("forward", verdict(&expected.compare(&y)?))?;
    if chain.supports(Pass::Backward).is_err() {
        return Ok(());
    }
    let names = chain.operands();
    let (dx, gradients) = gpu.backward_with(&chain, &x, &dy, &values, &names)?;
    let expected = Expected::backward_with(&chain, &x, &dy, &values)?;
    context("backward", verdict(&expected.compare(&dx)?))?;
    for (name, gradient) in names.iter().zip(gradients) {
        let report = check::gradient(&chain, &x, &dy, &values, name, &gradient)?;
        context(&format!("d_{name}"), verdict(&report))?;
    }
    if chain.supports(Pass::BackwardFromY).is_ok() {
        let dx = gpu.backward_from_y_with(&chain, &y, &dy, &values)?;
        let expected = Expected::backward_from_y_with(&chain, &y, &dy, &values)?;
        context("backward from y", verdict(&expected.compare(&dx)?))?;
    }
    Ok(())
}

/// NaN, infinities, rows that are wholly masked.
fn special(gpu: &Gpu) -> Result<(), Failed> {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let rows: [[f32; 8]; 7] = [
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        [1.0, nan, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [-inf; 8],
        [1.0, -inf, 2.0, -inf, 0.0, 3.0, -inf, 0.5],
        [inf, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0],
        [3e38, -3e38, 3e38, 0.0, 0.0, 0.0, 0.0, 0.0],
        [-200.0, 0.0, -88.0, -87.0, -100.0, -103.0, -104.0, -3e38],
    ];
    let x = rows.concat();
    for n in [8, 2] {
        let shape = (x.len() as u64 / n, n, 1);
        for text in [
            "softmax",
            "log_softmax",
            "hardmax",
            "softmax(sink=0)",
            "rms_norm",
        ] {
            let chain: Chain = text.parse()?;
            let values = Values::new().layout(layout(shape));
            let y = gpu.forward_with(&chain, &x, &values)?;
            let report = Expected::forward_with(&chain, &x, &values)?.compare(&y)?;
            verdict(&report).map_err(|e| format!("{text} {n}: {e:?}"))?;
            if text == "softmax" && n == 8 {
                let rows: Vec<_> = y.chunks(8).collect();
                let is_nan = [false, true, false, false, true, false, false];
                for (row, is_nan) in rows.iter().zip(is_nan) {
                    if row.iter().any(|y| y.is_nan() != is_nan) {
                        return Err(format!("{row:?}").into());
                    }
                }
                if *rows[2] != [0.0; 8] || rows[3][1].to_bits() != 0 {
                    return Err(format!("masked: {:?} {:?}", rows[2], rows[3]).into());
                }
            }
            if chain.supports(Pass::Backward).is_ok() {
                let dy: Vec<f32> = (0..x.len()).map(|i| noise(3, i)).collect();
                let (dx, _) = gpu.backward_with(&chain, &x, &dy, &values, &[])?;
                let expected = Expected::backward_with(&chain, &x, &dy, &values)?;
                verdict(&expected.compare(&dx)?).map_err(|e| format!("{text} dx {n}: {e:?}"))?;
            }
        }
    }
    Ok(())
}

/// One gradient that is NaN spoils its own row's, and no other.
fn one_nan(gpu: &Gpu) -> Result<(), Failed> {
    let shape = (5, 12, 1);
    let (x, mut dy) = inputs::<f32>(shape);
    dy[30] = f32::NAN;
    for text in ["softmax", "log_softmax", "layer_norm"] {
        let chain: Chain = text.parse()?;
        let values = Values::new().layout(layout(shape));
        let (dx, _) = gpu.backward_with(&chain, &x, &dy, &values, &[])?;
        for (index, dx) in dx.iter().enumerate() {
            if dx.is_nan() != (24..36).contains(&index) {
                return Err(format!("{text}: dx[{index}] = {dx}").into());
            }
        }
    }
    Ok(())
}

/// A mask for all heads, a sink for each, a bias of positions for all samples.
fn broadcast(gpu: &Gpu) -> Result<(), Failed> {
    for keys in [12u64, 10] {
        let x_shape = [2, 3, 5, keys];
        let shape = (2 * 3 * 5, keys, 1);
        let (x, dy) = inputs::<f32>(shape);
        let chain: Chain = "residual(@m) | residual(@p) | softmax(sink=@k) | gate(@h)".parse()?;
        let mut values = Values::new().layout(layout(shape));
        let shapes: [(&str, &[u64]); 4] = [
            ("m", &[2, 1, 5, keys]),
            ("p", &[1, 3, 5, keys]),
            ("k", &[3, 1, 1]),
            ("h", &[2, 3, 1, 1]),
        ];
        for (name, of) in shapes {
            let count: u64 = of.iter().product();
            let seed = name.bytes().map(u64::from).sum();
            let data: Vec<f32> = (0..count as usize).map(|i| noise(seed, i)).collect();
            let broadcast = Broadcast::of_shapes(&x_shape, of).ok_or("no such broadcast")?;
            values = values.arg(name, &data).broadcast(name, broadcast);
        }
        let y = gpu.forward_with(&chain, &x, &values)?;
        verdict(&Expected::forward_with(&chain, &x, &values)?.compare(&y)?)?;
        let names = chain.operands();
        let (dx, gradients) = gpu.backward_with(&chain, &x, &dy, &values, &names)?;
        verdict(&Expected::backward_with(&chain, &x, &dy, &values)?.compare(&dx)?)?;
        for (name, gradient) in names.iter().zip(gradients) {
            let report = check::gradient(&chain, &x, &dy, &values, name, &gradient)?;
            verdict(&report).map_err(|e| format!("d_{name}: {e:?}"))?;
        }
    }
    Ok(())
}

/// Without a step over whole rows, values that are broadcast are read, and their gradients refused.
fn broadcast_elements(gpu: &Gpu) -> Result<(), Failed> {
    let shape = (6, 20, 1);
    let (x, dy) = inputs::<f32>(shape);
    let chain: Chain = "silu | gate(@g)".parse()?;
    let broadcast = Broadcast::of_shapes(&[2, 3, 20], &[2, 1, 20]).ok_or("no such broadcast")?;
    let gates: Vec<f32> = (0..40).map(|i| noise(9, i)).collect();
    let values = Values::new()
        .layout(layout(shape))
        .arg("g", &gates)
        .broadcast("g", broadcast);
    let y = gpu.forward_with(&chain, &x, &values)?;
    verdict(&Expected::forward_with(&chain, &x, &values)?.compare(&y)?)?;
    let (dx, _) = gpu.backward_with(&chain, &x, &dy, &values, &[])?;
    verdict(&Expected::backward_with(&chain, &x, &dy, &values)?.compare(&dx)?)?;
    match gpu.backward_with(&chain, &x, &dy, &values, &["g"]) {
        Err(error) if error.to_string().contains("gradient of @g cannot be had") => {}
        other => return Err(format!("{other:?}").into()),
    }
    // What a length says as well has its gradient.
    for of in [[1, 20], [6, 20], [1, 1], [6, 1]] {
        let broadcast = Broadcast::of_shapes(&[6, 20], &of).ok_or("no such broadcast")?;
        let layout = match of {
            [6, 1] => layout((1, 6, 20)),
            _ => layout(shape),
        };
        let gates: Vec<f32> = (0..(of[0] * of[1]) as usize).map(|i| noise(9, i)).collect();
        let values = Values::new().layout(layout).arg("g", &gates);
        let plain = gpu.backward_with(&chain, &x, &dy, &values, &["g"])?;
        let values = values.broadcast("g", broadcast);
        if gpu.backward_with(&chain, &x, &dy, &values, &["g"])? != plain {
            return Err(format!("{of:?}").into());
        }
    }
    Ok(())
}

/// The same bits where a dispatch reaches some rows only, and in place.
fn pieces(gpu: &Gpu) -> Result<(), Failed> {
    let small = small_bindings(gpu)?;
    for shape in [(100, 36, 1), (20, 9, 7), (1000, 2, 1)] {
        let (x, dy) = inputs::<f32>(shape);
        for text in [
            "scale(@s) | rms_norm",
            "rms_norm | scale(@w)",
            "causal(0) | softmax | dropout(0.5)",
        ] {
            let chain: Chain = text.parse()?;
            // What columns leave must fit one binding, too.
            if text.contains("@w") && shape != (1000, 2, 1) {
                continue;
            }
            let values = values::<f32>(&chain, shape);
            let forward = |gpu: &Gpu| gpu.forward_with(&chain, &x, &values);
            if forward(gpu)? != forward(&small)? {
                return Err(format!("{text} {shape:?} forward").into());
            }
            let names = chain.operands();
            let (dx, gradients) = small.backward_with(&chain, &x, &dy, &values, &names)?;
            if dx != gpu.backward_with(&chain, &x, &dy, &values, &[])?.0 {
                return Err(format!("{text} {shape:?} backward").into());
            }
            for (name, gradient) in names.iter().zip(gradients) {
                verdict(&check::gradient(&chain, &x, &dy, &values, name, &gradient)?)?;
            }
        }
    }
    Ok(())
}

/// y over x, at a place that no word begins at, and in rows with gaps, whose bytes stay; in 16 bits, rows that begin within
/// 32 bits.
fn places<T: Element>(gpu: &Gpu) -> Result<(), Failed> {
    let kernels = Kernels::new(gpu.device());
    let size = T::DTYPE.size();
    for (rows, columns, gap, offset) in [
        (7u64, 8u64, 0u64, 0u64),
        (5, 9, 0, 3),
        (6, 8, 4, 8),
        (4, 7, 3, 5),
    ] {
        let stride = columns + gap;
        let count = (offset + rows * stride + 9) as usize;
        let all: Vec<T> = (0..count).map(|i| stored(3.0 * noise(5, i))).collect();
        let mut bytes = bytemuck::cast_slice::<T, u8>(&all).to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
        let buffer = upload(gpu, &words);
        let chain: Chain = "scale(0.5) | softmax".parse()?;
        let operand = Operand::new(&buffer, offset * size, rows * columns).rows(Rows {
            len: columns,
            stride,
        });
        let operands = Operands::new().x(operand).y(operand).layout(Layout {
            outer: rows,
            channels: columns,
            inner: 1,
        });
        let bound = kernels
            .plan(&chain, Pass::Forward, T::DTYPE)?
            .bind(operands)?;
        submit(gpu, |pass| bound.record(pass));
        let found = download(gpu, &buffer);
        let found: &[T] = &bytemuck::cast_slice::<u32, T>(&found)[..count];
        let place = |i: u64| (offset + i / columns * stride + i % columns) as usize;
        let x: Vec<T> = (0..rows * columns).map(|i| all[place(i)]).collect();
        let y: Vec<T> = (0..rows * columns).map(|i| found[place(i)]).collect();
        let values = Values::new().layout(layout((rows, columns, 1)));
        verdict(&Expected::forward_with(&chain, &x, &values)?.compare(&y)?)?;
        let mut written: Vec<usize> = (0..rows * columns).map(place).collect();
        written.sort_unstable();
        for (index, (a, b)) in all.iter().zip(found).enumerate() {
            if written.binary_search(&index).is_err()
                && a.to_f32().to_bits() != b.to_f32().to_bits()
            {
                return Err(format!("element {index} was written").into());
            }
        }
    }
    Ok(())
}

/// A million rows of two, a row of a million, f16 whose sum is beyond its range.
fn large(gpu: &Gpu) -> Result<(), Failed> {
    agrees::<f32>(gpu, "softmax", (1 << 20, 2, 1))?;
    agrees::<f32>(gpu, "log_softmax", (1, 1_000_000, 1))?;
    let x = vec![f16::from_f32(10.0); 70_000];
    let chain: Chain = "softmax".parse()?;
    let y = gpu.forward(&chain, &x)?;
    verdict(&Expected::forward_with(&chain, &x, &Values::new())?.compare(&y)?)
}

/// A row that rises all the way, so that sums are measured from another largest element again and again.
fn rising(gpu: &Gpu) -> Result<(), Failed> {
    let len = 100_000;
    let x: Vec<f32> = (0..len).map(|i| i as f32 * 1e-3 - 50.0).collect();
    for (text, layout) in [
        ("softmax", layout((1, len, 1))),
        ("log_softmax", layout((1, len, 1))),
        ("softmax", layout((1, len / 4, 4))),
    ] {
        let chain: Chain = text.parse()?;
        let values = Values::new().layout(layout);
        let y = gpu.forward_with(&chain, &x, &values)?;
        verdict(&Expected::forward_with(&chain, &x, &values)?.compare(&y)?)?;
    }
    Ok(())
}

/// What softmax gives of a row adds up to one: whatever its exponentials are off by, they are divided by their own sum. That
/// sum has lost less than 60 roundings, the quotient five, and each product one.
fn adds_up_to_one(gpu: &Gpu) -> Result<(), Failed> {
    for (rows, columns) in [
        (3000u64, 7u64),
        (500, 64),
        (40, 1024),
        (10, 5000),
        (2, 20_000),
    ] {
        let (x, _) = inputs::<f32>((rows, columns, 1));
        let chain: Chain = "scale(5) | softmax".parse()?;
        let values = Values::new().layout(layout((rows, columns, 1)));
        let y = gpu.forward_with(&chain, &x, &values)?;
        for (row, y) in y.chunks(columns as usize).enumerate() {
            let sum: f64 = y.iter().map(|y| f64::from(*y)).sum();
            if (sum - 1.0).abs() > 66.0 / f64::from(1 << 24) {
                return Err(format!("{rows} x {columns}: row {row} adds up to {sum}").into());
            }
        }
    }
    Ok(())
}

/// The checker finds a kernel that is wrong by little: sums that leave a term out, values of a neighbour.
/// Fewer words of a row for each invocation, as on DX12: other lanes, strips and joins, the same values.
fn few_words(gpu: &Gpu) -> Result<(), Failed> {
    let softmax = "scale(@s) | residual(@r) | softmax | scale(@w)";
    let norm = "gelu | layer_norm(eps=0.1) | scale(@w) | bias(@b)";
    for (row_words, shape, text) in [
        (4, (3, 1000, 1), softmax),
        (4, (2, 5001, 1), norm),
        (2, (1, 8200, 1), softmax),
        (2, (300, 64, 1), norm),
        (1, (2, 40, 3), softmax),
    ] {
        let limits = Limits {
            row_words,
            ..Limits::from(&gpu.device().limits())
        };
        let gpu = gpu.clone().with_limits(limits)?;
        match row_words {
            4 => agrees::<f16>(&gpu, text, shape)?,
            _ => agrees::<f32>(&gpu, text, shape)?,
        }
    }
    Ok(())
}

fn teeth(_: &Gpu) -> Result<(), Failed> {
    let shape = (3, 50, 1);
    let (x, dy) = inputs::<f32>(shape);
    for text in ["softmax", "log_softmax", "rms_norm", "layer_norm"] {
        let chain: Chain = text.parse()?;
        let values = Values::new().layout(layout(shape));
        let forward = Expected::forward_with(&chain, &x, &values)?;
        let backward = Expected::backward_with(&chain, &x, &dy, &values)?;
        let right = [
            reference::forward_with(&chain, &x, &values)?,
            reference::backward_with(&chain, &x, &dy, &values)?,
        ];
        for (expected, right) in [forward, backward].iter().zip(right) {
            let rounded: Vec<f32> = right.iter().map(|v| *v as f32).collect();
            verdict(&expected.compare(&rounded)?)?;
            for by in [1e-5, -1e-5] {
                let off: Vec<f32> = right.iter().map(|v| (v * (1.0 + by)) as f32).collect();
                if expected.compare(&off)?.passes() {
                    return Err(format!("{text}: {by} passes").into());
                }
            }
        }
    }
    Ok(())
}

fn add(trials: &mut Trials) {
    let share = Share::of(trials);
    let mut number = 0;
    for (chain, text) in CHAINS.into_iter().enumerate() {
        let mut own: Vec<(Shape, usize)> = Vec::new();
        for (at, shape) in SHAPES.into_iter().enumerate() {
            // Each chain has one shape in five, in one dtype each: all have their turns. Kernels take long to compile.
            if !share.is_whole() && (chain + at) % 5 > 0 {
                continue;
            }
            if share.has(number) {
                own.push((shape, number / 3 % 3));
            }
            number += 1;
        }
        trials.add(format!("agrees::{text}"), move |gpu| {
            for (shape, dtype) in &own {
                match dtype {
                    0 => agrees::<f32>(gpu, text, *shape)?,
                    1 => agrees::<f16>(gpu, text, *shape)?,
                    _ => agrees::<bf16>(gpu, text, *shape)?,
                }
            }
            Ok(())
        });
    }
    trials.add("special", special);
    trials.add("one_nan", one_nan);
    trials.add("rising", rising);
    trials.add("adds_up_to_one", adds_up_to_one);
    trials.add("broadcast", broadcast);
    trials.add("broadcast_elements", broadcast_elements);
    trials.add("places::f32", places::<f32>);
    // What no driver decides, each on one of the adapters.
    if share.has(0) {
        trials.add("large", large);
        trials.add("teeth", teeth);
        trials.add("pieces", pieces);
    }
    if share.has(1) {
        trials.add("few_words", few_words);
        trials.add("places::f16", places::<f16>);
    }
    if share.has(4) {
        trials.add("places::bf16", places::<bf16>);
    }
}

fn main() {
    common::main(add);
}
