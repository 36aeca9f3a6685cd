//! Chains with operands: backward with and without gradients of parameters, gates, and a whole chain, fused
//! and step by step, in two layouts.
//!
//! `cargo bench --bench learned`; `WGPU_ADAPTER_NAME` picks an adapter, as for `speed`. `nonlin bench CHAIN
//! --shape 32x256x2048` takes samples in turns, which noise hurts less, and compares results first.

mod common;

use common::time;
use criterion::{Criterion, criterion_group, criterion_main};
use nonlin::wgpu;
use nonlin::{Bound, Chain, DType, Gpu, Layout, Operand, Operands, Pass};
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

const LAYOUTS: [Layout; 2] = [
    Layout {
        outer: 32,
        channels: 256,
        inner: 2048,
    },
    Layout {
        outer: 65_536,
        channels: 256,
        inner: 1,
    },
];

/// A dispatch: a chain, its pass, and the buffers, by name, of some of its operands. Gradients are `d_` and the
/// operand's name. Operands that are not mentioned have a buffer of their own name.
type Call = (&'static str, Pass, &'static [(&'static str, &'static str)]);

/// Ways to do the same, by name.
type Group = (&'static str, &'static [(&'static str, &'static [Call])]);

use Pass::{Backward, Forward};

/// The buffer of an operand that is left out.
const NONE: &str = "none";

const WHOLE: &str = "scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)";

const GROUPS: &[Group] = &[
    (
        "prelu backward",
        &[
            ("dx only", &[("prelu(weight=@w)", Backward, &[])]),
            (
                "with one gradient",
                &[("prelu(weight=@w)", Backward, &[("d_w", "d_w")])],
            ),
        ],
    ),
    (
        "prelu forward and backward",
        &[(
            "with its gradient",
            &[
                ("prelu(weight=@w)", Forward, &[]),
                ("prelu(weight=@w)", Backward, &[("d_w", "d_w")]),
            ],
        )],
    ),
    (
        "acon_c backward",
        &[
            (
                "dx only",
                &[("acon_c(p1=@p, p2=@q, beta=@b)", Backward, &[])],
            ),
            (
                "with three gradients",
                &[(
                    "acon_c(p1=@p, p2=@q, beta=@b)",
                    Backward,
                    &[("d_p", "d_p"), ("d_q", "d_q"), ("d_b", "d_b")],
                )],
            ),
        ],
    ),
    (
        "swiglu forward",
        &[
            ("fused", &[("silu | gate(@g)", Forward, &[])]),
            (
                "unfused",
                &[
                    ("silu", Forward, &[("y", "v")]),
                    ("gate(@g)", Forward, &[("x", "v")]),
                ],
            ),
        ],
    ),
    (
        "swiglu backward",
        &[
            ("fused", &[("silu | gate(@g)", Backward, &[("d_g", "dg")])]),
            (
                "unfused",
                &[
                    ("gate(@g)", Forward, &[("x", "dy"), ("y", "dv")]),
                    ("gate(@v)", Forward, &[("x", "dy"), ("y", "dg")]),
                    ("silu", Backward, &[("dy", "dv")]),
                ],
            ),
        ],
    ),
    (
        "scale, bias, mish, dropout, residual forward",
        &[
            ("fused", &[(WHOLE, Forward, &[])]),
            (
                "unfused",
                &[
                    ("scale(@s)", Forward, &[("y", "v")]),
                    ("bias(@b)", Forward, &[("x", "v"), ("y", "v2")]),
                    ("mish", Forward, &[("x", "v2"), ("y", "v")]),
                    ("dropout(0.1)", Forward, &[("x", "v"), ("y", "v2")]),
                    ("residual(@r)", Forward, &[("x", "v2")]),
                ],
            ),
        ],
    ),
    (
        "scale, bias, mish, dropout, residual backward",
        &[
            ("dx only", &[(WHOLE, Backward, &[])]),
            (
                "fused",
                &[(
                    WHOLE,
                    Backward,
                    &[("d_s", "d_s"), ("d_b", "d_b"), ("d_r", "dg")],
                )],
            ),
            (
                "unfused",
                &[
                    // The residual's gradient is a copy; what bias passes on takes no dispatch.
                    ("scale(1)", Forward, &[("x", "dy"), ("y", "dg")]),
                    ("dropout(0.1)", Forward, &[("x", "dy"), ("y", "dv")]),
                    ("mish", Backward, &[("x", "v2"), ("dy", "dv"), ("dx", "v")]),
                    (
                        "bias(@b)",
                        Backward,
                        &[("dy", "v"), ("dx", NONE), ("d_b", "d_b")],
                    ),
                    ("scale(@s)", Backward, &[("dy", "v"), ("d_s", "d_s")]),
                ],
            ),
            (
                "unfused, each step's own backward",
                &[
                    (
                        "residual(@r)",
                        Backward,
                        &[("x", "v2"), ("dx", "dv"), ("d_r", "dg")],
                    ),
                    (
                        "dropout(0.1)",
                        Backward,
                        &[("x", "v2"), ("dy", "dv"), ("dx", "v")],
                    ),
                    ("mish", Backward, &[("x", "v2"), ("dy", "v"), ("dx", "dv")]),
                    (
                        "bias(@b)",
                        Backward,
                        &[("dy", "dv"), ("dx", "v"), ("d_b", "d_b")],
                    ),
                    ("scale(@s)", Backward, &[("dy", "v"), ("d_s", "d_s")]),
                ],
            ),
        ],
    ),
];

/// A device and buffers, made when they are first used.
struct Bench {
    gpu: Gpu,
    layout: Layout,
    buffers: RefCell<HashMap<String, wgpu::Buffer>>,
}

impl Bench {
    fn len(&self) -> u64 {
        self.layout.outer * self.layout.channels * self.layout.inner
    }

    fn buffer(&self, name: &str, len: u64) -> wgpu::Buffer {
        let mut buffers = self.buffers.borrow_mut();
        let made = buffers.entry(name.to_owned()).or_insert_with(|| {
            let buffer = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("bench"),
                size: len * 4,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let seed: u64 = name.bytes().map(u64::from).sum();
            let value = |i: u64| ((i * 2_654_435_761 + seed) % 1_000_003) as f32 / 250_000.0 - 2.0;
            let data: Vec<f32> = (0..len).map(value).collect();
            self.gpu
                .queue()
                .write_buffer(&buffer, 0, bytemuck::cast_slice(&data));
            buffer
        });
        made.clone()
    }

    fn bind(&self, (text, pass, names): &Call) -> Bound {
        let chain: Chain = text.parse().expect("a chain");
        let whole = |operand: &str| {
            text.contains(&format!("gate(@{operand})"))
                || text.contains(&format!("residual(@{operand})"))
        };
        let given = |operand: &str| {
            let found = names.iter().find(|(name, _)| *name == operand);
            found.map_or(operand.to_owned(), |(_, buffer)| (*buffer).to_owned())
        };
        let size = |operand: &str| {
            if whole(operand) {
                self.len()
            } else {
                self.layout.channels
            }
        };
        let passed = ["x", "y", "dy", "dx"].map(|name| match given(name).as_str() {
            NONE => self.buffer(name, self.len()),
            buffer => self.buffer(buffer, self.len()),
        });
        let [x, y, dy, dx] = [0, 1, 2, 3].map(|at: usize| Operand::new(&passed[at], 0, self.len()));
        let mut operands = Operands::new().x(x).layout(self.layout);
        operands = match pass {
            Forward => operands.y(y),
            _ if given("dx") == NONE => operands.dy(dy),
            _ => operands.dy(dy).dx(dx),
        };
        let mut buffers = Vec::new();
        for operand in chain.operands() {
            let grad = format!("d_{operand}");
            let grad = names.iter().find(|(name, _)| *name == grad);
            let grad = grad.map(|(_, buffer)| self.buffer(buffer, size(operand)));
            buffers.push((operand, self.buffer(&given(operand), size(operand)), grad));
        }
        for (operand, arg, grad) in &buffers {
            let at = |buffer| Operand::new(buffer, 0, size(operand));
            operands = operands.arg(operand, at(arg), DType::F32);
            if let Some(grad) = grad {
                operands = operands.grad(operand, at(grad), DType::F32);
            }
        }
        let plan = self
            .gpu
            .kernels()
            .plan(&chain, *pass, DType::F32)
            .expect("it compiles");
        plan.bind(operands).expect("the operands fit")
    }

    fn copy(&self, pass: Pass) -> Bound {
        let [x, dy, y] = ["x", "dy", "y"].map(|name| self.buffer(name, self.len()));
        let [x, dy, y] = [&x, &dy, &y].map(|buffer| Operand::new(buffer, 0, self.len()));
        let operands = match pass {
            Forward => Operands::new().x(x).y(y),
            _ => Operands::new().x(x).dy(dy).dx(y),
        };
        let plan = self
            .gpu
            .kernels()
            .copy(pass, DType::F32)
            .expect("it compiles");
        plan.bind(operands).expect("the operands fit")
    }
}

fn learned(c: &mut Criterion) {
    for layout in LAYOUTS {
        let bench = Bench {
            gpu: Gpu::new().expect("an adapter"),
            layout,
            buffers: RefCell::default(),
        };
        let adapter = nonlin::describe(&bench.gpu.device().adapter_info());
        let Layout {
            outer,
            channels,
            inner,
        } = layout;
        println!("{adapter}, {outer} x {channels} x {inner}");
        let mut group = c.benchmark_group(format!("{outer}x{channels}x{inner}"));
        for pass in Pass::FROM_X {
            let copy = bench.copy(pass);
            group.bench_function(format!("copy {pass}"), |b| {
                b.iter_custom(|n| time(&bench.gpu, std::slice::from_ref(&copy), n))
            });
        }
        for (name, ways) in GROUPS {
            for (way, calls) in *ways {
                let bounds: Vec<_> = calls.iter().map(|call| bench.bind(call)).collect();
                let scratch: u64 = bounds.iter().map(Bound::scratch_bytes).sum();
                if let Some(share) = (bench.len() * 4).checked_div(scratch) {
                    println!("{name}, {way}: scratch is 1/{share} of x");
                }
                group.bench_function(format!("{name}: {way}"), |b| {
                    b.iter_custom(|n| time(&bench.gpu, &bounds, n))
                });
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = learned
}
criterion_main!(benches);
