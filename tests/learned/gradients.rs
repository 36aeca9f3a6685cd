//! Gradients of operands: long sums, places in shared words, without dx, and that mistakes are found.

use crate::common::{download, submit, upload, verdict};
use crate::{layout, length, noise, stored};
use libtest_mimic::Failed;
use nonlin::check::{self, Expected};
use nonlin::half::f16;
use nonlin::{Chain, DType, Gpu, Operand, Operands, Pass, Values, wgpu};
use std::collections::BTreeSet;

/// Sums over very many elements, of one sign (x is about `around`) or of mixed signs, are as good as is said.
pub(crate) fn long_sums(
    gpu: &Gpu,
    n: u64,
    around: f32,
    shapes: &[(u64, u64, u64)],
) -> Result<(), Failed> {
    let chain: Chain = "scale(@s)".parse()?;
    let x: Vec<f32> = (0..n as usize).map(|i| around + noise(8, i)).collect();
    let dy: Vec<f32> = (0..n as usize).map(|i| 1.0 + 0.5 * noise(9, i)).collect();
    for shape in shapes {
        let layout = layout(*shape);
        for count in BTreeSet::from([1, layout.channels]) {
            let s = vec![1.0f32; count as usize];
            let values = Values::new().arg("s", &s).layout(layout);
            let (_, grads) = gpu.backward_with(&chain, &x, &dy, &values, &["s"])?;
            verdict(&check::gradient(&chain, &x, &dy, &values, "s", &grads[0])?)?;
        }
    }
    Ok(())
}

/// A harness that finds nothing wrong proves nothing: errors of twice what is allowed are found.
pub(crate) fn teeth(gpu: &Gpu) -> Result<(), Failed> {
    let chain: Chain = "prelu(weight=@w)".parse()?;
    let layout = layout((16, 4, 256));
    let len = length(layout, 3) as usize;
    let x: Vec<f32> = (0..len).map(|i| noise(1, i)).collect();
    let dy: Vec<f32> = (0..len).map(|i| noise(2, i)).collect();
    let values = Values::new().arg("w", &[0.25f32; 4]).layout(layout);
    let (_, grads) = gpu.backward_with(&chain, &x, &dy, &values, &["w"])?;
    let judge = |grad: &[f32]| check::gradient(&chain, &x, &dy, &values, "w", grad);
    if !judge(&grads[0])?.passes() {
        return Err("the right gradient is refused".into());
    }
    let magnitudes: f32 = (0..256 * 16)
        .map(|i| i / 256 * 1024 + i % 256)
        .filter(|i| x[*i] <= 0.0)
        .map(|i| (x[i] * dy[i]).abs())
        .sum();
    let mut wrong = grads[0].clone();
    wrong[0] += 17.0 * magnitudes * 2f32.powi(-24);
    // One element of one channel is left out; another channel's value; a NaN.
    let mut missing = grads[0].clone();
    let left_out = (0..256)
        .find(|i| x[*i] < -0.5 && dy[*i].abs() > 0.1)
        .unwrap_or(0);
    missing[0] -= x[left_out] * dy[left_out];
    let swapped = vec![grads[0][1], grads[0][0], grads[0][2], grads[0][3]];
    let nan = vec![f32::NAN; 4];
    for (what, grad) in [
        ("a small error", wrong),
        ("a gap", missing),
        ("a swap", swapped),
        ("NaN", nan),
    ] {
        if judge(&grad)?.passes() {
            return Err(format!("{what} is not found").into());
        }
    }
    // A NaN in x reaches its channel's gradient, and no other.
    let mut x = x.clone();
    x[300] = f32::NAN;
    let (_, grads) = gpu.backward_with(&chain, &x, &dy, &values, &["w"])?;
    let nans: Vec<_> = grads[0].iter().map(|v| v.is_nan()).collect();
    if nans != [false, true, false, false] {
        return Err(format!("NaN in channel 1 gives {:?}", grads[0]).into());
    }
    Ok(())
}

/// Gradients without dx have the same bits as beside it, summed and element by element.
pub(crate) fn without_dx(gpu: &Gpu) -> Result<(), Failed> {
    let chain: Chain = "bias(@b) | prelu(weight=@w) | residual(@r)".parse()?;
    for shape in [(3, 4, 64), (5, 3, 7), (300, 8, 1)] {
        let layout = layout(shape);
        let len = length(layout, 3);
        let data = |seed, len: u64| -> Vec<u32> {
            (0..len as usize)
                .map(|i| noise(seed, i).to_bits())
                .collect()
        };
        let [x, dy, r] = [1, 2, 3].map(|seed| upload(gpu, &data(seed, len)));
        let [b, w] = [4, 5].map(|seed| upload(gpu, &data(seed, layout.channels)));
        let zeros = |len: u64| upload(gpu, &vec![0; len as usize]);
        let plan = gpu.kernels().plan(&chain, Pass::Backward, DType::F32)?;
        let run = |with_dx: bool| -> Result<Vec<Vec<u32>>, Failed> {
            let grads = [layout.channels, layout.channels, len].map(zeros);
            let dx = zeros(len);
            let whole = |buffer| Operand::new(buffer, 0, len);
            let per_channel = |buffer| Operand::new(buffer, 0, layout.channels);
            let mut operands = Operands::new()
                .x(whole(&x))
                .dy(whole(&dy))
                .layout(layout)
                .arg("b", per_channel(&b), DType::F32)
                .arg("w", per_channel(&w), DType::F32)
                .arg("r", whole(&r), DType::F32)
                .grad("b", per_channel(&grads[0]), DType::F32)
                .grad("w", per_channel(&grads[1]), DType::F32)
                .grad("r", whole(&grads[2]), DType::F32);
            if with_dx {
                operands = operands.dx(whole(&dx));
            }
            let bound = plan.bind(operands)?;
            submit(gpu, |pass| bound.record(pass));
            if download(gpu, &dx).iter().any(|bits| *bits != 0) != with_dx {
                return Err("dx is written where it is not asked for, or not where it is".into());
            }
            Ok(grads.iter().map(|grad| download(gpu, grad)).collect())
        };
        let (with, without) = (run(true)?, run(false)?);
        let empty = without
            .iter()
            .any(|grad| grad.iter().all(|bits| *bits == 0));
        if with != without || empty {
            return Err(format!("{shape:?}: gradients without dx differ").into());
        }
    }
    Ok(())
}

/// Gradients of 16 bits share words with what is not theirs; in place of dy.
pub(crate) fn places(gpu: &Gpu) -> Result<(), Failed> {
    let chain: Chain = "prelu(weight=@w)".parse()?;
    let layout = layout((6, 3, 40));
    let len = length(layout, 3);
    let x: Vec<f16> = (0..len as usize).map(|i| stored(noise(1, i))).collect();
    let dy: Vec<f16> = (0..len as usize).map(|i| stored(noise(2, i))).collect();
    let w = [0.5f32, -0.25, 0.125].map(stored::<f16>);
    let words = |data: &[f16], before: usize, behind: usize| {
        let mut all = vec![stored::<f16>(77.0); before];
        all.extend(data);
        all.resize(all.len() + behind, stored(77.0));
        all.resize(all.len().next_multiple_of(2), stored(77.0));
        upload(gpu, &bytemuck::pod_collect_to_vec::<f16, u32>(&all))
    };
    for first in 0..2 {
        let (bx, bdy) = (words(&x, first, 4), words(&dy, 0, 4));
        let (bw, bdw) = (words(&w, 1, 0), words(&[stored(0.0); 3], first, 2));
        let plan = gpu.kernels().plan(&chain, Pass::Backward, DType::F16)?;
        let bound = plan.bind(
            Operands::new()
                .x(Operand::new(&bx, first as u64 * 2, len))
                .dy(Operand::new(&bdy, 0, len))
                .dx(Operand::new(&bdy, 0, len))
                .arg("w", Operand::new(&bw, 2, 3), DType::F16)
                .grad("w", Operand::new(&bdw, first as u64 * 2, 3), DType::F16)
                .layout(layout),
        )?;
        submit(gpu, |pass| bound.record(pass));
        let read = |buffer: &wgpu::Buffer| {
            bytemuck::pod_collect_to_vec::<u32, f16>(&download(gpu, buffer))
        };
        let (dx, dw) = (read(&bdy), read(&bdw));
        let values = Values::new().arg("w", &w).layout(layout);
        verdict(&Expected::backward_with(&chain, &x, &dy, &values)?.compare(&dx[..len as usize])?)?;
        let found = &dw[first..first + 3];
        verdict(&check::gradient(&chain, &x, &dy, &values, "w", found)?)?;
        let sentinel = |v: &f16| *v == stored::<f16>(77.0);
        if !dw[..first].iter().all(sentinel) || !dw[first + 3..].iter().all(sentinel) {
            return Err("a neighbour of the gradient was written".into());
        }
    }
    Ok(())
}
