//! Every activation beside a plain copy of the same bytes, and a chain fused beside its steps one by one.
//!
//! `cargo bench --bench speed` runs on the best adapter; `WGPU_ADAPTER_NAME=swiftshader` picks another, and
//! `NONLIN_LEN=1048576` another length. Compare only within one run: ratios to `copy` are what lasts. For
//! samples taken in turns, which noise hurts less, use `nonlin bench`.
//!
//! What the figures are on the machines they were taken on, and what limits them: docs/SPEED.md.

mod common;

use common::time;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nonlin::wgpu;
use nonlin::{Activation, Bound, Chain, DType, Gpu, Operand, Operands, Pass, Plan, check};
use std::time::Duration;

/// A device with x, dy and enough outputs for a chain's steps.
struct Bench {
    gpu: Gpu,
    len: u64,
    inputs: [wgpu::Buffer; 2],
    outputs: [wgpu::Buffer; 3],
}

impl Bench {
    fn new() -> Self {
        let gpu = Gpu::new().expect("an adapter");
        let len = std::env::var("NONLIN_LEN")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(16 << 20);
        let buffer = |_| {
            gpu.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("bench"),
                size: len * 4,
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_DST
                    | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        let (inputs, outputs) = ([0, 1].map(buffer), [0, 1, 2].map(buffer));
        for (index, input) in inputs.iter().enumerate() {
            let value =
                |i: u64| ((i * 2_654_435_761 + index as u64) % 1_000_003) as f32 / 62_500.0 - 8.0;
            let data: Vec<f32> = (0..len).map(value).collect();
            gpu.queue()
                .write_buffer(input, 0, bytemuck::cast_slice(&data));
        }
        println!(
            "{}, {len} elements",
            nonlin::describe(&gpu.device().adapter_info())
        );
        Bench {
            gpu,
            len,
            inputs,
            outputs,
        }
    }

    fn at<'a>(&self, buffer: &'a wgpu::Buffer) -> Operand<'a> {
        Operand::new(buffer, 0, self.len)
    }

    fn bind(&self, plan: &Plan) -> Bound {
        let [x, dy] = &self.inputs;
        let operands = Operands::new().x(self.at(x));
        let operands = match plan.pass() {
            Pass::Forward => operands.y(self.at(&self.outputs[0])),
            _ => operands.dy(self.at(dy)).dx(self.at(&self.outputs[0])),
        };
        plan.bind(operands).expect("the operands fit")
    }

    fn chain(&self, chain: &Chain, pass: Pass) -> Bound {
        // What is timed is right: the same kernel, on some values, against the reference.
        let x = check::inputs(chain, 1 << 12);
        let dy = vec![1.0; x.len()];
        let report = match pass {
            Pass::Forward => self
                .gpu
                .forward(chain, &x)
                .and_then(|y| check::forward(chain, &x, &y)),
            _ => self
                .gpu
                .backward(chain, &x, &dy)
                .and_then(|dx| check::backward(chain, &x, &dy, &dx)),
        };
        assert!(report.expect("it runs").passes(), "{chain} {pass}");
        self.bind(
            &self
                .gpu
                .kernels()
                .plan(chain, pass, DType::F32)
                .expect("it compiles"),
        )
    }

    /// A chain's steps, each as a dispatch of its own, with the values between in memory.
    fn unfused(&self, chain: &Chain, pass: Pass) -> Vec<Bound> {
        let plan = |step: &nonlin::Step, pass| {
            let chain = Chain::new().step(step.clone());
            self.gpu
                .kernels()
                .plan(&chain, pass, DType::F32)
                .expect("it compiles")
        };
        let [x, dy] = &self.inputs;
        let [a, b, c] = &self.outputs;
        let steps = chain.steps().iter();
        match pass {
            Pass::Forward => steps
                .enumerate()
                .map(|(index, step)| {
                    let from = [x, a, b][index];
                    plan(step, pass).bind(
                        Operands::new()
                            .x(self.at(from))
                            .y(self.at([a, b, c][index])),
                    )
                })
                .collect::<Result<_, _>>(),
            // What each step saw forward is taken as given: x stands for it, as the bytes are the same.
            // Backward of a scale is a scale of the gradient, and reads nothing else.
            _ => steps
                .rev()
                .enumerate()
                .map(|(index, step)| {
                    let (from, to) = (self.at([dy, a, b][index]), self.at([a, b, c][index]));
                    let operands = Operands::new();
                    match step.function() {
                        nonlin::Function::Scale => {
                            plan(step, Pass::Forward).bind(operands.x(from).y(to))
                        }
                        _ => plan(step, pass).bind(operands.x(self.at(x)).dy(from).dx(to)),
                    }
                })
                .collect::<Result<_, _>>(),
        }
        .expect("the operands fit")
    }
}

fn speed(c: &mut Criterion) {
    let bench = Bench::new();
    for pass in Pass::FROM_X {
        let copy = bench
            .gpu
            .kernels()
            .copy(pass, DType::F32)
            .expect("it compiles");
        let mut group = c.benchmark_group(pass.to_string());
        group.throughput(Throughput::Bytes(copy.bytes(bench.len)));
        let bound = bench.bind(&copy);
        group.bench_function("copy", |b| {
            b.iter_custom(|n| time(&bench.gpu, std::slice::from_ref(&bound), n))
        });
        for activation in Activation::ALL {
            let bound = bench.chain(&Chain::from(*activation), pass);
            group.bench_function(activation.name(), |b| {
                b.iter_custom(|n| time(&bench.gpu, std::slice::from_ref(&bound), n));
            });
        }
        let chain: Chain = "scale(0.5) | silu | scale(2)".parse().expect("a chain");
        let fused = bench.chain(&chain, pass);
        let id = BenchmarkId::new("fused", &chain);
        group.bench_function(id, |b| {
            b.iter_custom(|n| time(&bench.gpu, std::slice::from_ref(&fused), n))
        });
        let steps = bench.unfused(&chain, pass);
        let id = BenchmarkId::new("unfused", &chain);
        group.bench_function(id, |b| b.iter_custom(|n| time(&bench.gpu, &steps, n)));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = speed
}
criterion_main!(benches);
