//! Arguments from operands, their gradients, gates, rows with gaps and random steps, on every adapter,
//! against the f64 reference.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "learned/gradients.rs"]
mod gradients;
#[path = "common/packed.rs"]
mod packing;
#[path = "learned/random.rs"]
mod random;

use common::{LEARNED, Share, small_bindings, verdict};
use gradients::{long_sums, places, teeth, without_dx};
use libtest_mimic::Failed;
use nonlin::check::{self, Expected};
use nonlin::half::{bf16, f16};
use nonlin::{
    Activation, Chain, DType, Element, Function, Gpu, Kernels, Layout, Limits, Operand, Operands,
    Pass, Step, Values, wgpu,
};
use packing::{alternating, alternating_in_pieces, own_gate, packed};
use random::{other_numbers, random_steps};

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

/// The layouts tried: rows of whole words, odd rows, several workgroups to a row, channels beside each
/// other, in whole words and not, one sample, one channel.
const LAYOUTS: [(u64, u64, u64); 18] = [
    (3, 4, 64),
    (2, 5, 37),
    (2, 3, 5000),
    (2, 2, 8192),
    (33, 8, 1),
    // Partial sums of a channel that one invocation adds up, and more, which have a workgroup on processors too.
    (4300, 3, 1),
    (33_000, 2, 1),
    (40, 7, 3),
    (1, 6, 40),
    (5, 1, 36),
    (1, 1, 1001),
    (1, 9, 1),
    // Channels enough for a workgroup, in whole words and not; rows likewise.
    (37, 132, 1),
    (19, 33, 3),
    (2, 3, 132),
    // Short rows of as many channels as a workgroup has at once and a part, in whole words and not; rows long enough to hold.
    (3, 10, 196),
    (5, 11, 49),
    (2, 3, 1028),
];

fn layout((outer, channels, inner): (u64, u64, u64)) -> Layout {
    Layout {
        outer,
        channels,
        inner,
    }
}

/// Lengths of an operand, by kind: shared, per channel, per sample and channel, per element.
fn length(layout: Layout, kind: usize) -> u64 {
    let Layout {
        outer,
        channels,
        inner,
    } = layout;
    [1, channels, outer * channels, outer * channels * inner][kind]
}

/// Values that suit an argument.
fn argument(chain: &Chain, name: &str, index: usize) -> f32 {
    let seed = name.bytes().map(u64::from).sum();
    let function = chain.steps().iter().find(|step| {
        step.arguments()
            .iter()
            .any(|a| a.to_string() == format!("@{name}"))
    });
    match function.map(Step::function) {
        // Alpha of celu divides; that of others, and slopes, are about one.
        Some(Function::Activation(_)) => 0.9 + 0.4 * noise(seed, index),
        _ => 1.5 * noise(seed, index),
    }
}

/// Forward, backward and all gradients of a chain whose operands are of the given kinds.
fn agrees<T: Element>(
    gpu: &Gpu,
    chain: &Chain,
    shape: (u64, u64, u64),
    kinds: &[usize],
) -> Result<(), Failed> {
    let layout = layout(shape);
    let len = length(layout, 3) as usize;
    let x: Vec<T> = (0..len).map(|i| stored(4.0 * noise(1, i))).collect();
    let dy: Vec<T> = (0..len).map(|i| stored(noise(2, i))).collect();
    let mut values = Values::new().layout(layout).random(7, 1 << 33);
    for (name, kind) in chain.operands().into_iter().zip(kinds.iter().cycle()) {
        let elementwise = chain.steps().iter().any(|step| {
            matches!(step.function(), Function::Gate | Function::Residual)
                && step.arguments()[0].to_string() == format!("@{name}")
        });
        let count = length(layout, if elementwise { 3 } else { *kind }) as usize;
        let data: Vec<T> = (0..count)
            .map(|i| stored(argument(chain, name, i)))
            .collect();
        values = values.arg(name, &data);
    }
    let context = |pass: &str, result: Result<(), Failed>| {
        result.map_err(|e| {
            let text = e.message().unwrap_or_default();
            Failed::from(format!(
                "{chain} {shape:?} {kinds:?} {} {pass}: {text}",
                T::DTYPE
            ))
        })
    };
    let y = gpu.forward_with(chain, &x, &values)?;
    context(
        "forward",
        verdict(&Expected::forward_with(chain, &x, &values)?.compare(&y)?),
    )?;
    let names: Vec<&str> = chain.operands();
    let (dx, grads) = gpu.backward_with(chain, &x, &dy, &values, &names)?;
    let expected = Expected::backward_with(chain, &x, &dy, &values)?;
    context("backward", verdict(&expected.compare(&dx)?))?;
    for (name, grad) in names.iter().zip(&grads) {
        let report = check::gradient(chain, &x, &dy, &values, name, grad)?;
        context(&format!("gradient of {name}"), verdict(&report))?;
    }
    // The same bits again, and without gradients.
    let (again, more) = gpu.backward_with(chain, &x, &dy, &values, &names)?;
    let bits = |v: &[T]| bytemuck::cast_slice::<T, u8>(v).to_vec();
    let (alone, _) = gpu.backward_with(chain, &x, &dy, &values, &[])?;
    if bits(&again) != bits(&dx) || bits(&alone) != bits(&dx) {
        return Err(format!("{chain} {shape:?}: dx differs between runs").into());
    }
    let grad_bits = |v: &[Vec<f32>]| v.iter().flatten().map(|v| v.to_bits()).collect::<Vec<_>>();
    if grad_bits(&more) != grad_bits(&grads) {
        return Err(format!("{chain} {shape:?}: gradients differ between runs").into());
    }
    Ok(())
}

/// Whatever an invocation has of a sample where channels lie beside each other.
fn column_words(gpu: &Gpu) -> Result<(), Failed> {
    for column_words in [1, 3, 8] {
        let limits = Limits {
            column_words,
            ..Limits::from(&gpu.device().limits())
        };
        let gpu = gpu.clone().with_limits(limits)?;
        for (text, shape, kind) in [
            ("prelu(weight=@w)", (70, 260, 1), 1),
            ("prelu(weight=@w)", (5, 130, 3), 2),
            ("acon_c(p1=@p, p2=@q, beta=@b) | scale(@s)", (20, 260, 1), 1),
        ] {
            agrees::<f32>(&gpu, &text.parse()?, shape, &[kind])?;
        }
    }
    Ok(())
}

/// A learned activation's gradient at all magnitudes, one for each element.
fn every_magnitude(gpu: &Gpu, chain: &Chain, learned: &[&str]) -> Result<(), Failed> {
    let mut plain = chain.to_string();
    for name in chain.operands() {
        plain = plain.replace(&format!("@{name}"), "1");
    }
    let x = check::inputs(&plain.parse()?, 1 << 17);
    let dy = vec![1.0f32; x.len()];
    let names = chain.operands();
    for (set, of) in [
        [1.0f32, 0.25, 1.0, -1e-6],
        [1.3, -0.7, 2.0, -0.5],
        [0.37, 0.6, -0.5, -2.0],
    ]
    .iter()
    .enumerate()
    {
        let mut values = Values::new();
        for (name, value) in names.iter().zip(of) {
            // As long as x, so that each share is seen by itself.
            values = values.arg(name, &vec![*value; x.len()]);
        }
        let (_, grads) = gpu.backward_with(chain, &x, &dy, &values, learned)?;
        for (name, grad) in learned.iter().zip(&grads) {
            let report = check::gradient(chain, &x, &dy, &values, name, grad)?;
            if let Err(e) = verdict(&report) {
                let at = report.worst.map(|w| x[w.index]).unwrap_or_default();
                let text = e.message().unwrap_or_default();
                return Err(format!("d_{name}, set {set}, x = {at:e}: {text}").into());
            }
        }
    }
    Ok(())
}

/// Lengths that a device of small bindings cuts into pieces; the last it cannot cut.
const CUT: [(u64, u64, u64); 8] = [
    (40, 3, 36),
    (50, 2, 37),
    (300, 8, 1),
    (40, 66, 1),
    (9, 5, 160),
    (10, 36, 5),
    (1, 1, 5000),
    (1, 2, 2000),
];

/// All of it on a device of small bindings.
fn in_pieces(gpu: &Gpu, shape: (u64, u64, u64)) -> Result<(), Failed> {
    let small = small_bindings(gpu)?;
    let dropped: Chain = "scale(@s) | prelu(weight=@w) | dropout(0.2)".parse()?;
    // A sample of 16,000 bytes, which 4 KiB do not hold, cannot be cut: that is said.
    let result = agrees::<f32>(&small, &dropped, shape, &[0, 1])
        .and_then(|()| agrees::<f32>(&small, &dropped, shape, &[2, 1]));
    match (shape.2, result) {
        (2000, Ok(())) => Err("4,000 elements fit into 4 KiB".into()),
        (2000, Err(e))
            if e.message()
                .unwrap_or_default()
                .contains("takes 16000 bytes") =>
        {
            Ok(())
        }
        (_, result) => result,
    }
}

fn main() -> ! {
    common::main(|trials| {
        let share = Share::of(trials);
        for (number, text) in LEARNED.into_iter().enumerate() {
            for (dtype, run) in [
                (
                    DType::F32,
                    agrees::<f32> as fn(&Gpu, &Chain, (u64, u64, u64), &[usize]) -> _,
                ),
                (DType::F16, agrees::<f16>),
                (DType::BF16, agrees::<bf16>),
            ] {
                trials.add(format!("{text}::{dtype}"), move |gpu| {
                    let chain: Chain = text.parse()?;
                    let kinds: &[&[usize]] = if dtype == DType::F32 {
                        &[&[0], &[1], &[2], &[3], &[1, 2, 0]]
                    } else {
                        &[&[1], &[0, 1]]
                    };
                    // Kernels of its own: those of all trials together would take gigabytes.
                    let gpu = &Gpu::from_device(gpu.device().clone(), gpu.queue().clone());
                    // Of the halves each has a part of the layouts: what differs from f32 is loads and stores.
                    let (first, every) = match dtype {
                        DType::F32 => (0, 1),
                        DType::F16 => (number % 4, 4),
                        _ => ((number + 2) % 4, 4),
                    };
                    let is_here = |at: usize, turn: usize, kind| {
                        // Of two neighbouring layouts one; and an adapter is to meet all kinds, also where there are as many
                        // kinds as turns.
                        let is_own = turn.is_multiple_of(2) && share.has(turn / 2 + at);
                        share.is_whole() || (is_own && turn / 2 % kinds.len() == kind)
                    };
                    let shapes = LAYOUTS.into_iter().enumerate();
                    for (at, shape) in shapes.skip(first).step_by(every) {
                        // A layout meets one of the kinds; over layouts a chain meets all.
                        let turn = number + at;
                        let kinds = kinds.iter().enumerate();
                        for (_, kinds) in kinds.filter(|(kind, _)| is_here(at, turn, *kind)) {
                            run(gpu, &chain, shape, kinds)?;
                        }
                    }
                    Ok(())
                });
            }
        }
        let mut parameters = 0;
        for activation in Activation::ALL {
            for parameter in activation.learnable() {
                parameters += 1;
                if !share.has(parameters) {
                    continue;
                }
                trials.add(
                    format!("{}::{parameter}::every_magnitude", activation.name()),
                    move |gpu| {
                        let mut step = Step::from(*activation);
                        for name in activation.parameters() {
                            step = step.with(name, format!("a_{name}").as_str())?;
                        }
                        let chain = Chain::from(step);
                        let learned = [format!("a_{parameter}")];
                        every_magnitude(gpu, &chain, &learned.each_ref().map(String::as_str))
                    },
                );
            }
        }
        let gates = ["sigmoid", "relu", "gelu", "gelu_tanh", "silu", "quick_gelu"];
        for (number, name) in gates.into_iter().enumerate() {
            if !share.has(number) {
                continue;
            }
            trials.add(format!("{name}_gate::packed"), move |gpu| {
                for h in [64, 22, 4] {
                    packed::<f32>(gpu, name, h, true)?;
                    packed::<f32>(gpu, name, h, false)?;
                    packed::<f16>(gpu, name, h, true)?;
                    packed::<bf16>(gpu, name, h, false)?;
                }
                packed::<f32>(gpu, name, 7, true)?;
                packed::<f16>(gpu, name, 7, true)?;
                packed::<bf16>(gpu, name, 1, false)
            });
        }
        for (number, text) in packing::CHAINS.into_iter().enumerate() {
            if share.has(number) {
                trials.add(format!("{text}::alternating"), move |gpu| {
                    alternating::<f32>(gpu, text)?;
                    alternating::<f16>(gpu, text)?;
                    alternating::<bf16>(gpu, text)
                });
            }
        }
        trials.add("alternating_in_pieces", alternating_in_pieces);
        trials.add("own_gate::f32", own_gate::<f32>);
        trials.add("own_gate::f16", own_gate::<f16>);
        trials.add("random_steps", random_steps);
        trials.add("without_dx", without_dx);
        trials.add("other_numbers", other_numbers);
        let n = 2 << 20;
        let shapes = [(1, 1, n), (n / 256, 256, 1), (64, 8, n / 512)];
        for (number, shape) in shapes.into_iter().enumerate() {
            for around in [1.0, 0.0] {
                if share.has(number + around as usize) {
                    trials.add(
                        format!("long_sums::{number}::around_{around}"),
                        move |gpu| long_sums(gpu, n, around, &[shape]),
                    );
                }
            }
        }
        // What order a sum has depends on the shape alone, so one adapter is enough for what takes long.
        if share.has(0) {
            trials.add("longest_sum", move |gpu| {
                let n = if share.is_whole() { 64 << 20 } else { 8 << 20 };
                long_sums(gpu, n, 1.0, &[(1, 1, n)])
            });
        }
        trials.add("teeth", teeth);
        trials.add("places", places);
        trials.add("column_words", column_words);
        for (number, shape) in CUT.into_iter().enumerate() {
            if share.has(number) {
                trials.add(format!("in_pieces::{shape:?}"), move |gpu| {
                    in_pieces(gpu, shape)
                });
            }
        }
        trials.add("scratch_is_small", |gpu| {
            let kernels = Kernels::new(gpu.device());
            let len = 4u64 << 20;
            let buffer = |bytes| {
                gpu.device().create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: bytes,
                    usage: wgpu::BufferUsages::STORAGE,
                    mapped_at_creation: false,
                })
            };
            let big = [0; 3].map(|_| buffer(len * 4));
            for shape in [
                (8, 256, 2048),
                (16384, 256, 1),
                (64, 64, 1024),
                (64, 256, 256),
            ] {
                let layout = layout(shape);
                let plan = kernels.plan(
                    &"acon_c(p1=@p, p2=@q, beta=@b)".parse()?,
                    Pass::Backward,
                    DType::F32,
                )?;
                let (small, grads) = (
                    [0; 3].map(|_| buffer(1 << 16)),
                    [0; 3].map(|_| buffer(1 << 16)),
                );
                let [x, dy, dx] = big.each_ref().map(|b| Operand::new(b, 0, len));
                let mut operands = Operands::new().x(x).dy(dy).dx(dx).layout(layout);
                for (index, name) in ["p", "q", "b"].into_iter().enumerate() {
                    let at = |b| Operand::new(b, 0, layout.channels);
                    operands = operands.arg(name, at(&small[index]), DType::F32);
                    operands = operands.grad(name, at(&grads[index]), DType::F32);
                }
                let bound = plan.bind(operands)?;
                if bound.scratch_bytes() > len * 4 / 512 || bound.dispatches() != 2 {
                    return Err(format!(
                        "{shape:?}: {} bytes, {} dispatches",
                        bound.scratch_bytes(),
                        bound.dispatches()
                    )
                    .into());
                }
            }
            Ok(())
        });
    })
}
