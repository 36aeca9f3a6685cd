//! Every length from nothing to two tiles and one more, at awkward places, with sentinels on both sides
//! and poisoned outputs: what a kernel must not touch stays as it was, what it must write is written.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use common::sentinels::{self, Places, SENTINEL, chain, input, value};
use common::{download, submit, upload};
use libtest_mimic::Failed;
use nonlin::wgpu;
use nonlin::{Chain, DType, Gpu, Kernels, Operand, Operands, Pass, Shape};

/// A chain's pass at these places, by the library.
fn run(gpu: &Gpu, kernels: &Kernels, pass: Pass, len: usize, places: Places) -> Result<(), Failed> {
    sentinels::run(gpu, pass, len, places, |at| {
        let operands = Operands::new().x(at[0]);
        let operands = match pass {
            Pass::Forward => operands.y(at[1]),
            Pass::Backward => operands.dy(at[1]).dx(at[2]),
        };
        let bound = kernels.plan(&chain(), pass, DType::F32)?.bind(operands)?;
        submit(gpu, |pass| bound.record(pass));
        Ok(())
    })
}

/// The places tried for every length: whole words, single elements, one buffer, tight ends.
const PLACES: [(&str, Places); 6] = [
    (
        "words",
        Places {
            first: [0, 0, 0],
            one_buffer: false,
            behind: 8,
        },
    ),
    (
        "words_off",
        Places {
            first: [4, 68, 132],
            one_buffer: false,
            behind: 8,
        },
    ),
    (
        "elements",
        Places {
            first: [1, 0, 3],
            one_buffer: false,
            behind: 3,
        },
    ),
    (
        "tight",
        Places {
            first: [0, 4, 8],
            one_buffer: false,
            behind: 0,
        },
    ),
    (
        "one_buffer",
        Places {
            first: [0, 64, 64],
            one_buffer: true,
            behind: 64,
        },
    ),
    (
        "one_buffer_touching",
        Places {
            first: [1, 0, 0],
            one_buffer: true,
            behind: 0,
        },
    ),
];

fn main() -> std::process::ExitCode {
    common::main(|trials| {
        for (name, places) in PLACES {
            for pass in Pass::ALL {
                // A small tile, so that all lengths up to two tiles and one are soon tried.
                for shape in [
                    Shape {
                        workgroup: 16,
                        words: 1,
                    },
                    Shape {
                        workgroup: 8,
                        words: 3,
                    },
                ] {
                    let trial = format!("{name}::{pass}::{}x{}", shape.workgroup, shape.words);
                    trials.add(trial, move |gpu| {
                        let kernels = Kernels::with_shape(gpu.device(), shape)?;
                        let tile = (4 * shape.workgroup * shape.words) as usize;
                        (0..=2 * tile + 1).try_for_each(|len| run(gpu, &kernels, pass, len, places))
                    });
                }
            }
        }
        for pass in Pass::ALL {
            trials.add(format!("default_shape::{pass}"), move |gpu| {
                let places = PLACES[0].1;
                let tile = 1024;
                let lengths = [tile - 1, tile, tile + 1, 2 * tile, 2 * tile + 1, 1_000_003];
                lengths
                    .into_iter()
                    .try_for_each(|len| run(gpu, gpu.kernels(), pass, len, places))
            });
        }
        trials.add("more_groups_than_a_row_holds", |gpu| {
            // 65,537 groups of 16 elements: a grid of two rows.
            let kernels = Kernels::with_shape(
                gpu.device(),
                Shape {
                    workgroup: 4,
                    words: 1,
                },
            )?;
            let len = 65_536 * 16 + 5;
            run(gpu, &kernels, Pass::Forward, len, PLACES[0].1)?;
            run(gpu, &kernels, Pass::Backward, len, PLACES[4].1)
        });
        trials.add("larger_than_a_binding", |gpu| {
            // The same adapter with a device that binds 4 KiB at most: three or four dispatches.
            let info = gpu.device().adapter_info();
            let adapter = nonlin::adapters()
                .into_iter()
                .find(|a| nonlin::describe(&a.get_info()) == nonlin::describe(&info))
                .ok_or("the adapter is gone")?;
            let request = adapter.request_device(&wgpu::DeviceDescriptor {
                required_limits: wgpu::Limits {
                    max_storage_buffer_binding_size: 4096,
                    ..adapter.limits()
                },
                ..Default::default()
            });
            let (device, queue) = pollster::block_on(request)?;
            let small = Gpu::from_device(device, queue);
            let len = 3000;
            for (_, places) in PLACES {
                for pass in Pass::ALL {
                    run(&small, small.kernels(), pass, len, places)?;
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
            let (x, y) = (
                upload(gpu, &[1.5f32.to_bits(); 8]),
                upload(gpu, &[SENTINEL; 8]),
            );
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
            let outputs = [upload(gpu, &[SENTINEL; 8]), upload(gpu, &[SENTINEL; 8])];
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
    })
}
