//! Every length from nothing to two tiles and one more, at awkward places, with sentinels on both sides
//! and poisoned outputs: what a kernel must not touch stays as it was, what it must write is written.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use common::sentinels::{self, Places, chain, input, value};
use common::{Share, download, submit, upload};
use libtest_mimic::Failed;
use nonlin::layers::{Frelu, Images, Layer, Parameters};
use nonlin::{
    Chain, DType, DTypes, Element, Geometry, Gpu, Kernels, Operand, Operands, Pass, Values, half,
};
use std::task::{Context, Poll, Waker};

/// A chain's pass at these places, by the library.
fn run(
    gpu: &Gpu,
    kernels: &Kernels,
    pass: Pass,
    dtypes: DTypes,
    len: usize,
    places: Places,
) -> Result<(), Failed> {
    let of_operands = match pass {
        Pass::Forward => vec![dtypes.x, dtypes.y],
        _ => vec![dtypes.x, dtypes.dy, dtypes.dx],
    };
    sentinels::run(gpu, pass, &of_operands, len, places, |at| {
        let operands = Operands::new().x(at[0]);
        let operands = match pass {
            Pass::Forward => operands.y(at[1]),
            _ => operands.dy(at[1]).dx(at[2]),
        };
        let bound = kernels.plan(&chain(), pass, dtypes)?.bind(operands)?;
        submit(gpu, |pass| bound.record(pass));
        Ok(())
    })
}

const fn places(first: [usize; 3], one_buffer: bool, behind: usize) -> Places {
    Places {
        first,
        one_buffer,
        behind,
        in_place: None,
    }
}

/// The places tried for every length: whole words, single elements, one buffer, tight ends, in place.
const PLACES: [(&str, Places); 10] = [
    ("words", places([0, 0, 0], false, 8)),
    ("words_off", places([4, 68, 132], false, 8)),
    ("elements", places([1, 0, 3], false, 3)),
    ("odd_output", places([2, 5, 1], false, 3)),
    ("tight", places([0, 4, 8], false, 0)),
    ("one_buffer", places([0, 64, 64], true, 64)),
    ("one_buffer_touching", places([1, 0, 0], true, 0)),
    (
        "over_x",
        Places {
            in_place: Some(0),
            ..places([0, 8, 0], false, 8)
        },
    ),
    (
        "over_the_last_input",
        Places {
            in_place: Some(usize::MAX),
            ..places([3, 1, 0], false, 1)
        },
    ),
    (
        "over_the_last_input_in_one_buffer",
        Places {
            in_place: Some(usize::MAX),
            ..places([4, 4, 0], true, 4)
        },
    ),
];

/// Operands of different dtypes.
const MIXED: DTypes = DTypes {
    x: DType::F16,
    y: DType::F32,
    dy: DType::BF16,
    dx: DType::F16,
};

/// `usize::MAX` stands for the pass's last input: x forward, dy backward.
fn resolved(places: Places, pass: Pass) -> Places {
    let last = pass.operands().len() - 2;
    Places {
        in_place: places.in_place.map(|input| input.min(last)),
        ..places
    }
}

/// An f32 stored as a 16-bit dtype is rounded as the `half` crate rounds it, bit for bit, ties included.
fn rounding<T: Element>(gpu: &Gpu) -> Result<(), Failed> {
    // A stride of 2^12 + 1 takes in ties, and values beside them, of all magnitudes; and every value of the
    // dtype is an input as well.
    let strided = (0..=u32::MAX).step_by(4097).map(f32::from_bits);
    let ties =
        (0..=u16::MAX).flat_map(|i| [u32::from(i) << 16 | 0x8000, u32::from(i) << 16 | 0x7fff]);
    let halves = (0..=u16::MAX).map(|i| bytemuck::cast::<u16, half::f16>(i).to_f32());
    let between = (0..0x7bff).map(|i| {
        let at = |i: u16| bytemuck::cast::<u16, half::f16>(i).to_f32();
        (at(i) + at(i + 1)) / 2.0
    });
    let all = strided
        .chain(ties.map(f32::from_bits))
        .chain(halves)
        .chain(between);
    // Subnormal f32 may be flushed on the way.
    let mut x: Vec<f32> = all.filter(|x| !x.is_nan() && !x.is_subnormal()).collect();
    x.truncate(x.len() / 4 * 4);
    let source = upload(gpu, bytemuck::cast_slice(&x));
    let target = upload(gpu, &vec![0; x.len() / 2]);
    let dtypes = DTypes {
        y: T::DTYPE,
        ..DType::F32.into()
    };
    let at = |buffer| Operand::new(buffer, 0, x.len() as u64);
    let plan = gpu
        .kernels()
        .plan(&Chain::new().scale(1.0), Pass::Forward, dtypes)?;
    let bound = plan.bind(Operands::new().x(at(&source)).y(at(&target)))?;
    submit(gpu, |pass| bound.record(pass));
    let words = download(gpu, &target);
    let found: &[u16] = bytemuck::cast_slice(&words);
    for (x, found) in x.iter().zip(found) {
        let wanted: u16 = bytemuck::cast(T::from_f64(f64::from(*x)));
        if *found != wanted {
            return Err(format!("{x:e} became {found:#06x}, not {wanted:#06x}").into());
        }
    }
    Ok(())
}

/// Longer than what is on the device at one time.
const SEVERAL_PIECES: usize = (16 << 20) + 5;

fn futures_say_the_same(gpu: &Gpu) -> Result<(), Failed> {
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    for len in [0, 1, 1023, SEVERAL_PIECES] {
        let x: Vec<f32> = (0..len).map(input).collect();
        let y = pollster::block_on(is_send(gpu.forward_async(&chain(), &x)))?;
        if y != gpu.forward(&chain(), &x)? || y.iter().zip(&x).any(|(y, x)| *y != value(*x)) {
            return Err(format!("forward is wrong for {len} elements").into());
        }
    }
    let x: Vec<f32> = (0..1001).map(input).collect();
    let learned: Chain = "tanh | prelu(weight=@w) | gate(@g)".parse()?;
    let values = Values::new().arg("w", &[0.25f32]).arg("g", &x);
    let backward = gpu.backward_with_async(&learned, &x, &x, &values, &["g", "w"]);
    if pollster::block_on(is_send(backward))?
        != gpu.backward_with(&learned, &x, &x, &values, &["g", "w"])?
    {
        return Err("gradients are others".into());
    }
    let (layer, images) = (Layer::from(Frelu::default()), Images::nchw(1, 2, 5, 7));
    let parameters = layer.parameters(&images)?;
    let parameters = parameters.iter().fold(Parameters::new(), |all, parameter| {
        let len = parameter.shape.iter().product::<u64>() as usize;
        all.with(&parameter.name, &vec![0.5f32; len])
    });
    let x = &x[..70];
    let of_layer = gpu.layer_backward_async(&layer, &images, &parameters, x, x);
    if pollster::block_on(is_send(of_layer))?
        != gpu.layer_backward(&layer, &images, &parameters, x, x)?
    {
        return Err("a layer's gradients are others".into());
    }
    match pollster::block_on(gpu.backward_async(&chain(), x, &x[1..])) {
        Err(nonlin::Error::Operand(nonlin::OperandError::LengthMismatch { .. })) => Ok(()),
        other => Err(format!("other lengths: {other:?}").into()),
    }
}

/// What nobody waits for is in nobody's way.
fn futures_that_are_dropped(gpu: &Gpu) -> Result<(), Failed> {
    let x: Vec<f32> = (0..70_001).map(input).collect();
    let wanted: Vec<f32> = x.iter().map(|x| value(*x)).collect();
    let chain = chain();
    for _ in 0..20 {
        let mut dropped = Box::pin(gpu.forward_async(&chain, &x));
        let context = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(Err(error)) = dropped.as_mut().poll(context) {
            return Err(error.into());
        }
        drop(dropped);
        if gpu.forward(&chain, &x)? != wanted {
            return Err("wrong behind a future that was dropped".into());
        }
    }
    Ok(())
}

fn main() -> ! {
    common::main(|trials| {
        let share = Share::of(trials);
        for (number, (name, places)) in PLACES.into_iter().enumerate() {
            for pass in Pass::FROM_X {
                let places = resolved(places, pass);
                // Every place in f32; in 16 bits what differs is loads and stores, which the adapters share.
                let is_here = |dtype: DType| {
                    dtype == DType::F32 || share.has(2 * number + pass as usize + dtype as usize)
                };
                for dtype in DType::ALL.iter().copied().filter(|d| is_here(*d)) {
                    // A small tile, so that all lengths up to two tiles and one are soon tried.
                    let shape = Geometry {
                        workgroup: 16,
                        words: 1,
                    };
                    trials.add(format!("{name}::{pass}::{dtype}"), move |gpu| {
                        let kernels = Kernels::with_geometry(gpu.device(), shape)?;
                        (0..=129)
                            .try_for_each(|len| run(gpu, &kernels, pass, dtype.into(), len, places))
                    });
                }
                if places.in_place.is_none() && is_here(DType::BF16) {
                    let shape = Geometry {
                        workgroup: 8,
                        words: 3,
                    };
                    trials.add(format!("{name}::{pass}::mixed"), move |gpu| {
                        let kernels = Kernels::with_geometry(gpu.device(), shape)?;
                        (0..=193).try_for_each(|len| run(gpu, &kernels, pass, MIXED, len, places))
                    });
                }
            }
        }
        for pass in Pass::FROM_X {
            for dtype in DType::ALL.iter().copied() {
                trials.add(format!("default_shape::{pass}::{dtype}"), move |gpu| {
                    let run = |len| run(gpu, gpu.kernels(), pass, dtype.into(), len, PLACES[0].1);
                    [1023, 1024, 1025, 2048, 2049, 1_000_003]
                        .into_iter()
                        .try_for_each(run)
                });
            }
        }
        trials.add("rounding_to_nearest_even::f16", rounding::<half::f16>);
        trials.add("rounding_to_nearest_even::bf16", rounding::<half::bf16>);
        trials.add("more_groups_than_a_row_holds", |gpu| {
            // 65,537 groups of 16 elements: a grid of two rows.
            let kernels = Kernels::with_geometry(
                gpu.device(),
                Geometry {
                    workgroup: 4,
                    words: 1,
                },
            )?;
            let len = 65_536 * 16 + 5;
            run(
                gpu,
                &kernels,
                Pass::Forward,
                DType::F32.into(),
                len,
                PLACES[0].1,
            )?;
            run(
                gpu,
                &kernels,
                Pass::Backward,
                DType::BF16.into(),
                len,
                PLACES[5].1,
            )
        });
        trials.add("larger_than_a_binding", |gpu| {
            // The same adapter with a device that binds 4 KiB at most: three or four dispatches.
            let small = common::small_bindings(gpu)?;
            let len = 3000;
            for (_, places) in PLACES {
                for pass in Pass::FROM_X {
                    let places = resolved(places, pass);
                    for dtype in DType::ALL {
                        run(&small, small.kernels(), pass, (*dtype).into(), len, places)?;
                    }
                    if places.in_place.is_none() {
                        run(&small, small.kernels(), pass, MIXED, len, places)?;
                    }
                }
            }
            let buffer = upload(&small, &vec![0; len]);
            let other = upload(&small, &vec![0; len]);
            let at = |buffer| Operand::new(buffer, 0, len as u64);
            let plan = small.kernels().plan(&chain(), Pass::Forward, DType::F32)?;
            let bound = plan.bind(Operands::new().x(at(&buffer)).y(at(&other)))?;
            if bound.dispatches() < 3 {
                return Err(format!("{} dispatches", bound.dispatches()).into());
            }
            Ok(())
        });
        trials.add("recorded_again_with_other_data", |gpu| {
            let (x, y) = (upload(gpu, &[1.5f32.to_bits(); 8]), upload(gpu, &[0; 8]));
            let at = |buffer| Operand::new(buffer, 0, 8);
            let plan = gpu.kernels().plan(&chain(), Pass::Forward, DType::F32)?;
            let bound = plan.bind(Operands::new().x(at(&x)).y(at(&y)))?;
            for value in [1.5f32, -4.0] {
                gpu.queue()
                    .write_buffer(&x, 0, bytemuck::cast_slice(&[value; 8]));
                submit(gpu, |pass| bound.record(pass));
                let wanted = if value > 0.0 { 2.0 * value } else { value };
                if download(gpu, &y) != [wanted.to_bits(); 8] {
                    return Err(format!("wrong for {value}").into());
                }
            }
            Ok(())
        });
        trials.add("two_values_of_one_structure_in_one_pass", |gpu| {
            let x = upload(gpu, &[3f32.to_bits(); 8]);
            let outputs = [upload(gpu, &[0; 8]), upload(gpu, &[0; 8])];
            let bind = |factor: f32, y| {
                let chain = Chain::new().scale(factor);
                let plan = gpu.kernels().plan(&chain, Pass::Forward, DType::F32)?;
                plan.bind(
                    Operands::new()
                        .x(Operand::new(&x, 0, 8))
                        .y(Operand::new(y, 0, 8)),
                )
            };
            let bounds = [bind(2.0, &outputs[0])?, bind(-1.0, &outputs[1])?];
            submit(gpu, |pass| {
                bounds.iter().for_each(|bound| bound.record(pass))
            });
            let found = outputs.each_ref().map(|y| download(gpu, y)[7]);
            if found != [6f32.to_bits(), (-3f32).to_bits()] {
                return Err(format!("{found:x?}").into());
            }
            Ok(())
        });
        trials.add("threads_share_a_device", |gpu| {
            let x: Vec<f32> = (0..999).map(input).collect();
            let wanted: Vec<f32> = x.iter().map(|x| value(*x)).collect();
            let rounds = || (0..50).all(|_| gpu.forward(&chain(), &x).is_ok_and(|y| y == wanted));
            let right = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(rounds)).collect();
                threads
                    .into_iter()
                    .all(|thread| thread.join().unwrap_or(false))
            });
            right
                .then_some(())
                .ok_or_else(|| "a thread was left without its result".into())
        });
        trials.add("the_host_door_takes_any_length", |gpu| {
            for len in [0, 1, 3, 1023, 70_001] {
                let x: Vec<f32> = (0..len).map(input).collect();
                let wanted: Vec<f32> = x.iter().map(|x| value(*x)).collect();
                if gpu.forward(&chain(), &x)? != wanted {
                    return Err(format!("wrong for {len} elements").into());
                }
            }
            Ok(())
        });
        trials.add("futures_say_the_same", futures_say_the_same);
        trials.add("futures_that_are_dropped", futures_that_are_dropped);
    })
}
