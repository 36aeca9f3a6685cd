//! f16 and bf16 are rounded right: of every activation with its default parameters, value and derivative, all 65,536
//! results are the nearest numbers, on every adapter. What these are mpmath says (tools/round16.py).

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "common/nearest.rs"]
mod nearest;

use libtest_mimic::Failed;
use nearest::{Line, every_half, hash, lines};
use nonlin::{Chain, Element, Gpu, Operand, Pass, half};

fn main() -> ! {
    common::main(|trials| {
        for line in lines() {
            let Line {
                activation,
                pass,
                dtype,
                ..
            } = line;
            trials.add(
                format!("{activation}::{pass}::{dtype}"),
                move |gpu| match dtype {
                    "f16" => is_nearest::<half::f16>(gpu, &line),
                    _ => is_nearest::<half::bf16>(gpu, &line),
                },
            );
        }
        trials.add("one_wrong_result_is_seen", one_wrong_result_is_seen);
        trials.add("words_and_elements_agree", |gpu| {
            words_and_elements_agree::<half::f16>(gpu)?;
            words_and_elements_agree::<half::bf16>(gpu)
        });
    })
}

fn is_nearest<T: Element>(gpu: &Gpu, line: &Line) -> Result<(), Failed> {
    let (chain, x) = (Chain::from(line.activation), every_half::<T>());
    assert!(chain.rounds_right(line.pass, T::DTYPE), "it is promised");
    let results = match line.pass {
        Pass::Forward => gpu.forward(&chain, &x)?,
        _ => gpu.backward(&chain, &x, &vec![T::from_f64(1.0); x.len()])?,
    };
    match hash(&results) == line.hash {
        true => Ok(()),
        false => Err(misrounded(&chain, line.pass, &x, &results)?.into()),
    }
}

/// Which results f64 says are wrong; the hash tells only that some are.
fn misrounded<T: Element>(chain: &Chain, pass: Pass, x: &[T], got: &[T]) -> Result<String, Failed> {
    let wants = match pass {
        Pass::Forward => nonlin::reference::forward(chain, x)?,
        _ => nonlin::reference::backward(chain, x, &vec![T::from_f64(1.0); x.len()])?,
    };
    let all = x.iter().zip(got).zip(wants);
    let wrong = all.filter(|((_, got), want)| {
        let (got, want) = (got.to_f32(), T::from_f64(*want).to_f32());
        got != want && !(got.is_nan() && want.is_nan())
    });
    let text =
        wrong.map(|((x, got), want)| format!("{:e}: {:e}, not {want:e}", x.to_f32(), got.to_f32()));
    let all: Vec<String> = text.collect();
    let some: Vec<&str> = all.iter().take(5).map(String::as_str).collect();
    Ok(format!("{} are misrounded: {}", all.len(), some.join("; ")))
}

/// A kernel that is wrong by one digit of one result fails.
fn one_wrong_result_is_seen(gpu: &Gpu) -> Result<(), Failed> {
    let of_silu = |line: &Line| {
        line.activation.name() == "silu" && line.pass == Pass::Forward && line.dtype == "f16"
    };
    let line = lines().into_iter().find(of_silu).ok_or("no silu")?;
    let x = every_half::<half::f16>();
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&x);
    let input = common::upload(gpu, &words);
    let output = common::upload(gpu, &vec![0; words.len()]);
    let at = |buffer| Operand::new(buffer, 0, x.len() as u64);
    let run = |text: &str| -> Result<u64, Failed> {
        common::run_text(gpu, text, &[], &[at(&input), at(&output)])?;
        let results: Vec<half::f16> = bytemuck::pod_collect_to_vec(&common::download(gpu, &output));
        Ok(hash(&results))
    };
    let chain = Chain::from(line.activation);
    let right = gpu
        .kernels()
        .plan(&chain, Pass::Forward, nonlin::DType::F16)?
        .wgsl();
    let exact = "return f16_of_wide(wide_silu(f16_wide(x_bits)));";
    // Half of three times the least number is a tie but for the next term.
    let wrong = "return f16_of_wide(wide_silu(f16_wide(x_bits))) ^ select(0u, 1u, x_bits == 3u);";
    assert!(right.contains(exact), "{right}");
    assert_eq!(run(&right)?, line.hash);
    match run(&right.replace(exact, wrong))? == line.hash {
        true => Err("the hash does not see a wrong result".into()),
        false => Ok(()),
    }
}

/// Element by element the results are what they are in words, for all dy too, where mpmath says nothing.
fn words_and_elements_agree<T: Element>(gpu: &Gpu) -> Result<(), Failed> {
    let x = every_half::<T>();
    // As many times as there are inputs, in another order.
    let dy: Vec<T> = (0..x.len())
        .map(|i| x[i.wrapping_mul(40_503) % x.len()])
        .collect();
    for text in ["silu", "relu", "xielu", "softplus(beta=2)"] {
        let chain: Chain = text.parse()?;
        let whole = gpu.backward(&chain, &x, &dy)?;
        // An odd length takes the last word's way, and one element takes every way.
        for len in [1, 65_533] {
            let part = gpu.backward(&chain, &x[..len], &dy[..len])?;
            let bits = |data: &[T]| -> Vec<u8> { bytemuck::pod_collect_to_vec(data) };
            assert_eq!(bits(&part), bits(&whole[..len]), "{text}");
        }
    }
    Ok(())
}
