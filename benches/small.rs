//! What small tensors cost: chains a second within one pass beside bare wgpu dispatches of the same kernel, and where the
//! fixed cost of a binding goes.
//!
//! `cargo bench --bench small -- [ADAPTER [SAMPLES]]`

use nonlin::wgpu::{self, BufferUsages};
use nonlin::{Bound, Chain, DType, Gpu, Operand, Operands, Pass, Plan};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Dispatches of a pass, and tensors that they take turns with.
const DISPATCHES: usize = 2000;
const TENSORS: usize = 16;

const CHAIN: &str = "scale(0.5) | silu | scale(2)";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` runs benches to see that they do; `cargo bench` says which it is.
    if !words.iter().any(|word| word == "--bench") {
        return Ok(());
    }
    let mut words = words.iter().filter(|word| *word != "--bench");
    let gpu = match words.next() {
        None => Gpu::new()?,
        Some(text) => Gpu::with_adapter(text)?,
    };
    let samples = words.next().map_or(Ok(15), |word| word.parse())?;
    let described = nonlin::describe(&gpu.device().adapter_info());
    println!("{described}; {CHAIN}, f32, medians of {samples} samples taken in turns\n");
    println!(
        "| elements | | recording, ns | to bare | with the submission, µs a chain | to bare |"
    );
    println!("|---|---|---|---|---|---|");
    for len in [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18] {
        passes(&Small::new(&gpu, len)?, samples)?;
    }
    println!("\n| of a binding | µs |\n|---|---|");
    fixed(&Small::new(&gpu, 1 << 10)?, samples)
}

/// Workgroups of 256 invocations of four elements.
fn grid(len: u64) -> u32 {
    (len / 1024) as u32
}

/// Tensors of one length, bound by nonlin and by hand.
struct Small<'a> {
    gpu: &'a Gpu,
    plan: Plan,
    len: u64,
    tensors: Vec<[wgpu::Buffer; 3]>,
    bounds: Vec<Bound>,
    pipeline: wgpu::ComputePipeline,
    groups: Vec<wgpu::BindGroup>,
}

impl<'a> Small<'a> {
    fn new(gpu: &'a Gpu, len: u64) -> Result<Self> {
        let device = gpu.device();
        let chain: Chain = CHAIN.parse()?;
        let plan = gpu.kernels().plan(&chain, Pass::Forward, DType::F32)?;
        let buffer = |size, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let tensors = (0..TENSORS).map(|_| {
            let [x, y] = [0; 2].map(|_| {
                let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
                buffer(4 * len, usage)
            });
            gpu.queue()
                .write_buffer(&x, 0, bytemuck::cast_slice(&vec![1f32; len as usize]));
            let args = buffer(64, BufferUsages::UNIFORM | BufferUsages::COPY_DST);
            // What `struct Args` of the printed kernel has: `len`, `row` and `start`, and behind them the scales.
            let words = [
                len as u32,
                grid(len),
                0,
                0,
                0.5f32.to_bits(),
                2f32.to_bits(),
            ];
            gpu.queue()
                .write_buffer(&args, 0, bytemuck::cast_slice(&words));
            [x, y, args]
        });
        let tensors: Vec<_> = tensors.collect();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(plan.wgsl().into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let mut small = Small {
            gpu,
            plan,
            len,
            tensors,
            bounds: Vec::new(),
            pipeline,
            groups: Vec::new(),
        };
        for index in 0..TENSORS {
            small.bounds.push(small.bind(index)?);
            small.groups.push(small.group(index));
        }
        Ok(small)
    }

    fn operands(&self, index: usize) -> Operands<'_> {
        let [x, y, _] = &self.tensors[index];
        let at = |buffer| Operand::new(buffer, 0, self.len);
        Operands::new().x(at(x)).y(at(y))
    }

    fn bind(&self, index: usize) -> Result<Bound> {
        Ok(self.plan.bind(self.operands(index))?)
    }

    fn group(&self, index: usize) -> wgpu::BindGroup {
        let buffers = self.tensors[index].iter().zip(0..);
        let entries = buffers.map(|(buffer, binding)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        });
        let entries: Vec<_> = entries.collect();
        self.gpu
            .device()
            .create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &self.pipeline.get_bind_group_layout(0),
                entries: &entries,
            })
    }

    /// The bare dispatch of the same kernel.
    fn bare(&self, pass: &mut wgpu::ComputePass<'_>, index: usize) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.groups[index], &[]);
        pass.dispatch_workgroups(grid(self.len), 1, 1);
    }

    fn read(&self, buffer: &wgpu::Buffer) -> Result<Vec<f32>> {
        let (device, queue) = (self.gpu.device(), self.gpu.queue());
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        device.poll(wgpu::PollType::wait_indefinitely())?;
        let view = staging.get_mapped_range(..)?;
        Ok(bytemuck::cast_slice(&view).to_vec())
    }

    /// Both ways must give the same, or the bare one is no measure.
    fn must_agree(&self) -> Result<()> {
        let [_, y, _] = &self.tensors[0];
        let wanted = self
            .gpu
            .forward(&CHAIN.parse()?, &vec![1f32; self.len as usize])?;
        self.pass(|pass, index| self.bare(pass, index))?;
        match self.read(y)? == wanted {
            true => Ok(()),
            false => Err("the bare kernel does not compute the chain".into()),
        }
    }

    /// Nanoseconds a dispatch: recording, and with the submission until it is done.
    fn pass(&self, mut record: impl FnMut(&mut wgpu::ComputePass<'_>, usize)) -> Result<[f64; 2]> {
        let device = self.gpu.device();
        let start = Instant::now();
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let before = Instant::now();
        (0..DISPATCHES).for_each(|index| record(&mut pass, index % TENSORS));
        let recorded = before.elapsed();
        drop(pass);
        self.gpu.queue().submit([encoder.finish()]);
        device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok([recorded, start.elapsed()].map(|took| took.as_secs_f64() * 1e9 / DISPATCHES as f64))
    }
}

/// Rows of the table for a length.
fn passes(small: &Small<'_>, samples: usize) -> Result<()> {
    small.must_agree()?;
    let mut taken = [const { Vec::new() }; 3];
    // The first one warms up.
    for sample in 0..=samples {
        let bare = small.pass(|pass, index| small.bare(pass, index))?;
        let reused = small.pass(|pass, index| small.bounds[index].record(pass))?;
        let anew = small.pass(|pass, index| match small.bind(index) {
            Ok(bound) => bound.record(pass),
            Err(error) => panic!("{error}"),
        })?;
        if sample > 0 {
            for (taken, one) in taken.iter_mut().zip([bare, reused, anew]) {
                taken.push(one);
            }
        }
    }
    let names = ["bare wgpu", "bound once", "bound each time"];
    let medians = taken.map(|taken| [0, 1].map(|what| median(taken.iter().map(|one| one[what]))));
    for (name, [recording, all]) in names.iter().zip(medians) {
        println!(
            "| {} | {name} | {recording:.0} | {:.2} | {:.2} | {:.2} |",
            small.len,
            recording / medians[0][0],
            all / 1e3,
            all / medians[0][1],
        );
    }
    Ok(())
}

/// Where the fixed cost goes: what of a binding is wgpu's, done by itself, and what is left.
fn fixed(small: &Small<'_>, samples: usize) -> Result<()> {
    let device = small.gpu.device();
    let scopes = || {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let [a, b, c] = [Validation, Internal, OutOfMemory].map(|f| device.push_error_scope(f));
        let caught = [c.pop(), b.pop(), a.pop()].map(pollster::block_on);
        black_box(caught);
    };
    let chain: Chain = CHAIN.parse()?;
    let kernels = small.gpu.kernels();
    let works: [(&str, &dyn Fn()); 4] = [
        ("a binding in all, and its end", &|| {
            drop(black_box(small.bind(0)))
        }),
        ("its bind group", &|| drop(black_box(small.group(0)))),
        ("listening for errors", &scopes),
        ("asking for a plan that is compiled", &|| {
            drop(black_box(kernels.plan(&chain, Pass::Forward, DType::F32)));
        }),
    ];
    let mut taken = works.map(|_| Vec::new());
    for _ in 0..samples {
        for ((_, work), taken) in works.iter().zip(&mut taken) {
            let start = Instant::now();
            (0..DISPATCHES).for_each(|_| work());
            taken.push(start.elapsed().as_secs_f64() * 1e6 / DISPATCHES as f64);
            // What is dropped is freed when somebody polls.
            device.poll(wgpu::PollType::Poll)?;
        }
    }
    let medians = taken.map(|taken| median(taken.into_iter()));
    let [all, parts @ .., _] = medians;
    for ((name, _), took) in works.iter().zip(medians) {
        println!("| {name} | {took:.2} |");
    }
    println!(
        "| what is left of it: nonlin's own | {:.2} |",
        all - parts.iter().sum::<f64>()
    );
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
