//! Thousands of operations, ours between burn's, from several threads at once, with tensors that other threads made:
//! the same program on burn's CPU backend has the same values, bit for bit, since it computes with small whole
//! numbers and powers of two alone.

use crate::common::{Result, Trials, host, multiplies, tensor, values};
use burn::tensor::{Device, Tensor, activation};
use nonlin_burn::{Fused, functions};
use std::thread;

/// Who computes the activations.
#[derive(Clone, Copy)]
enum By {
    Nonlin,
    Burn,
}

/// Whole numbers from -4 to 4.
fn whole<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let some = values(shape.iter().product(), seed);
    let some: Vec<f32> = some.iter().map(|v| v.round()).collect();
    tensor(&some, shape, device)
}

fn relu<const D: usize>(by: By, x: Tensor<D>) -> Tensor<D> {
    match by {
        By::Nonlin => functions::relu(x),
        By::Burn => activation::relu(x),
    }
}

fn hardtanh<const D: usize>(by: By, x: Tensor<D>, bound: f64) -> Tensor<D> {
    match by {
        By::Nonlin => functions::hardtanh(x, -bound, bound),
        By::Burn => activation::hardtanh(x, -bound, bound),
    }
}

fn prelu(by: By, x: Tensor<2>, weight: Tensor<1>) -> Result<Tensor<2>> {
    Ok(match by {
        By::Nonlin => Fused::new("prelu(weight=@w)".parse()?)
            .operand("w", weight)
            .forward(x)?,
        By::Burn => activation::prelu(x, weight),
    })
}

/// relu(a) b
fn gated(by: By, a: Tensor<2>, b: Tensor<2>) -> Result<Tensor<2>> {
    Ok(match by {
        By::Nonlin => Fused::new("relu | gate(@g)".parse()?)
            .operand("g", b)
            .forward(a)?,
        By::Burn => activation::relu(a) * b,
    })
}

/// Steps of one thread's program, on numbers that f32 holds exactly.
fn program(
    by: By,
    steps: u64,
    weights: &[Tensor<2>],
    slope: &Tensor<1>,
    seed: u64,
) -> Result<Vec<f32>> {
    let device = weights[0].device();
    let width = weights[0].dims()[0];
    let mut x: Tensor<2> = whole([5, width], seed, &device);
    let mut kept: Vec<Tensor<2>> = Vec::new();
    for step in 0..steps {
        let weight = weights[(step % weights.len() as u64) as usize].clone();
        // x has whole halves up to 16, so the product is at most 256, in steps of 1/32.
        let y = hardtanh(by, x.clone().matmul(weight) * 0.0625, 128.0);
        let y = prelu(by, y, slope.clone())?;
        let part = hardtanh(by, y.clone().slice_dim(1, 0..width / 2), 8.0);
        let part = gated(by, part.clone(), part)?;
        let y = relu(by, y) - Tensor::cat(vec![part.clone(), part], 1);
        // Sizes that come and go, so that memory is handed on.
        let extra: Tensor<2> = whole([1 + (step % 7) as usize, width], step, &device);
        let sum = relu(by, extra).sum_dim(0);
        let y = y + sum;
        x = hardtanh(by, y.clone(), 16.0);
        if step % 5 == 0 {
            kept.push(y);
        }
        if kept.len() > 4 {
            let old = kept.remove((step % 3) as usize);
            x = hardtanh(by, x + old, 16.0);
        }
        // Slopes of a quarter and products made the steps finer: halves again.
        x = (x * 2.0).floor() * 0.5;
    }
    host(x)
}

fn threads(device: &Device, by: By) -> Result<Vec<Vec<f32>>> {
    const THREADS: u64 = 4;
    const STEPS: u64 = 150;
    let weights: Vec<Tensor<2>> = (0..3)
        .map(|seed| whole([64, 64], 90 + seed, device))
        .collect();
    let slope = whole([64], 7, device) * 0.25;
    thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS)
            .map(|seed| {
                let (weights, slope) = (weights.clone(), slope.clone());
                scope.spawn(move || program(by, STEPS, &weights, &slope, seed))
            })
            .collect();
        let ended = running.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err("a thread panicked".into()),
        });
        ended.collect()
    })
}

fn load(device: &Device) -> Result {
    let got = threads(device, By::Nonlin)?;
    let want = threads(&Device::flex(), By::Burn)?;
    for (thread, (got, want)) in got.iter().zip(&want).enumerate() {
        if want.iter().all(|v| v.abs() == want[0].abs()) {
            return Err(format!("thread {thread} has nothing to tell").into());
        }
        if let Some(at) = got
            .iter()
            .zip(want)
            .position(|(a, b)| a.to_bits() != b.to_bits() && a != b)
        {
            return Err(format!(
                "thread {thread}, element {at}: {}, not {}",
                got[at], want[at]
            )
            .into());
        }
    }
    Ok(())
}

/// Forward and backward of a deep network, many times, its graph dropped while kernels are still to run.
fn gradients(device: &Device) -> Result {
    let run = |device: &Device, by: By| -> Result<Vec<f32>> {
        let device = device.clone().autodiff();
        let slope = (whole::<1>([16], 7, &device) * 0.25)
            .detach()
            .require_grad();
        let mut sums = Vec::new();
        for round in 0..30u64 {
            let x: Tensor<2> = whole([9, 16], round, &device).require_grad();
            let mut y = x.clone();
            for layer in 0..12 {
                let weight: Tensor<2> = whole([16, 16], 100 + layer, &device);
                // Off the knots, where the two chose differently.
                let off = y.matmul(weight) * 0.125 + 0.03125;
                y = hardtanh(by, prelu(by, off, slope.clone())?, 16.0);
                // Whole numbers again, with the slope of 1.
                y = y.clone() + (y.clone().floor() - y).detach();
            }
            let gradients = y.sum().backward();
            let dx = x.grad(&gradients).ok_or("x has a gradient")?;
            let dw = slope.grad(&gradients).ok_or("the slope has a gradient")?;
            // Nothing is waited for until the last round.
            sums.push(Tensor::cat(vec![dx.flatten::<1>(0, 1), dw], 0));
        }
        host(Tensor::stack::<2>(sums, 0))
    };
    let (got, want) = (run(device, By::Nonlin)?, run(&Device::flex(), By::Burn)?);
    if want.iter().filter(|v| **v != 0.0).count() < want.len() / 4 {
        return Err("the gradients have nothing to tell".into());
    }
    crate::common::near("gradients", &got, &want, 1e-5)
}

/// Tensors on pages that they share, read and written by one dispatch.
fn shared_pages(device: &Device) -> Result {
    // Small tensors of one batch lie beside each other.
    let all: Vec<Tensor<1>> = (0..64).map(|seed| whole([37], seed, device)).collect();
    let out: Vec<Tensor<1>> = all
        .iter()
        .map(|x| functions::hardtanh(x.clone(), -2.0, 2.0))
        .collect();
    for (x, y) in all.into_iter().zip(out) {
        let want: Vec<f32> = host(x)?.iter().map(|v| v.clamp(-2.0, 2.0)).collect();
        crate::common::near("y", &host(y)?, &want, 0.0)?;
    }
    Ok(())
}

pub(crate) fn add(on: &mut Trials) {
    on.add("load::shared_pages", shared_pages);
    if !multiplies(on.adapter()) {
        return;
    }
    on.add("load::threads", load);
    on.add("load::gradients", gradients);
    on.add("teeth::load_tells_one_step", |device| {
        // One step less, and the comparison must tell.
        let weights = [whole([64, 64], 90, device), whole([64, 64], 91, device)];
        let slope = whole([64], 7, device) * 0.25;
        let run = |steps| program(By::Nonlin, steps, &weights, &slope, 1);
        match run(20)? == run(19)? {
            true => Err("a step changes nothing".into()),
            false => Ok(()),
        }
    });
}
