//! What the tests on adapters share: which adapters, trials that are ignored, or fail, without one, and
//! buffers.

pub(crate) mod sentinels;
mod trials;

pub(crate) use trials::verdict;

use libtest_mimic::Failed;
use nonlin::wgpu;
use nonlin::{Chain, Gpu, Operand, adapters, check, describe};
use std::sync::OnceLock;

/// The software adapters that the results are promised on.
const EXPECTED: [&str; 3] = ["lavapipe", "llvmpipe-gl", "swiftshader"];

/// Trials on one adapter.
pub(crate) type Trials = trials::Trials<Gpu>;

/// The software adapters that were found, lavapipe first.
static SHARING: OnceLock<Vec<String>> = OnceLock::new();

/// Whose turn each case is: the software adapters share what takes long so that together they run all of it. GL, whose
/// compiler is slowest, has the fewest turns.
const TURNS: [&str; 9] = [
    "lavapipe",
    "swiftshader",
    "lavapipe",
    "swiftshader",
    "llvmpipe-gl",
    "lavapipe",
    "swiftshader",
    "lavapipe",
    "swiftshader",
];

/// An adapter's part of the trials, or of the cases within a trial, that take long. Where software adapters are missing,
/// the others have their turns; any other adapter runs all, and so does each with NONLIN_TEST_ALL=1.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    /// A bit for each of so many turns.
    own: u32,
    turns: usize,
}

impl Share {
    pub(crate) fn of(trials: &Trials) -> Self {
        Self::among(trials, |_| true)
    }

    /// The same of what GL takes too long to compile, of which it has no part ([`is_gl`]).
    pub(crate) fn without_gl(trials: &Trials) -> Self {
        Self::among(trials, |key| !key.ends_with("-gl"))
    }

    fn among(trials: &Trials, takes_part: impl Fn(&str) -> bool) -> Self {
        let sharing = SHARING.get().map_or(&[][..], Vec::as_slice);
        let is_there = |key: &&str| takes_part(key) && sharing.iter().any(|found| found == key);
        let turns: Vec<&str> = TURNS.into_iter().filter(is_there).collect();
        let is_own = turns.iter().map(|key| *key == trials.adapter());
        let own = is_own
            .enumerate()
            .map(|(turn, is_own)| u32::from(is_own) << turn);
        let (own, turns) = (own.sum(), turns.len());
        let is_alone = std::env::var_os("NONLIN_TEST_ALL").is_some_and(|v| v == "1");
        match takes_part(trials.adapter()) {
            true if is_alone || own == 0 => Share { own: 1, turns: 1 },
            true => Share { own, turns },
            false => Share { own: 0, turns: 1 },
        }
    }

    /// Whether the adapter runs all.
    pub(crate) fn is_whole(self) -> bool {
        self.own.count_ones() as usize == self.turns
    }

    /// Whether the adapter runs the case of this number.
    pub(crate) fn has(self, number: usize) -> bool {
        self.own >> (number % self.turns) & 1 == 1
    }
}

/// Runs the same trials on every adapter found, and on those expected.
pub(crate) fn main(add: impl Fn(&mut Trials)) -> ! {
    // Software adapters use every core themselves.
    main_with(2, add)
}

/// The same with so many threads.
pub(crate) fn main_with(threads: usize, add: impl Fn(&mut Trials)) -> ! {
    let mut all: Vec<(String, wgpu::Adapter)> = Vec::new();
    for adapter in adapters() {
        let key = trials::key(&adapter.get_info());
        if !all.iter().any(|(known, _)| *known == key) {
            all.push((key, adapter));
        }
    }
    let is_found = |key: &&str| all.iter().any(|(found, _)| found == key);
    let found = EXPECTED.into_iter().filter(is_found).map(str::to_owned);
    _ = SHARING.set(found.collect());
    let open = |adapter: &wgpu::Adapter| Gpu::open(adapter).map_err(|error| error.to_string());
    trials::run(usize::MAX, threads, all, &EXPECTED, open, add)
}

/// Chains whose operands have gradients.
pub(crate) const LEARNED: [&str; 15] = [
    "prelu(weight=@w)",
    "leaky_relu(negative_slope=@w)",
    "swish(beta=@b)",
    "acon_b(p=@p, beta=@b)",
    "acon_c(p1=@p1, p2=@p2, beta=@b)",
    "elu(alpha=@a)",
    "celu(alpha=@a)",
    "star_relu(scale=@s, bias=@b)",
    "xielu(alpha_p=@p, alpha_n=@n, beta=@b)",
    "scale(@s)",
    "bias(@b)",
    "scale(@s) | bias(@b) | mish",
    "scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)",
    "gelu | scale(@s) | gate(@g)",
    // The gradient of s needs b, which dx does not.
    "bias(@b) | scale(@s)",
];

/// Whether the adapter is GL. Mesa's GL takes seconds to compile a kernel that other drivers compile in a tenth of
/// that, so tests that compile hundreds of kernels do with some of them there. Of what is left out (most of FReLU and of
/// dynamic ReLU C, layouts of learned chains) GLSL is written and checked in the library's own tests, and not run.
pub(crate) fn is_gl(gpu: &Gpu) -> bool {
    gpu.device().adapter_info().backend == wgpu::Backend::Gl
}

/// A number of the adapter's own, for what is drawn at random: each adapter has other cases, so that there are more of
/// them in all.
pub(crate) fn seed(gpu: &Gpu) -> u64 {
    let key = trials::key(&gpu.device().adapter_info());
    key.bytes()
        .fold(0, |seed, byte| seed * 31 % 0xffff + u64::from(byte))
}

/// Both passes of a chain, on f32, are within the error allowed to them.
pub(crate) fn agrees(gpu: &Gpu, chain: &Chain, x: &[f32], dy: &[f32]) -> Result<(), Failed> {
    verdict(&check::forward(chain, x, &gpu.forward(chain, x)?)?)?;
    verdict(&check::backward(
        chain,
        x,
        dy,
        &gpu.backward(chain, x, dy)?,
    )?)
}

/// The same adapter with a device that binds 4 KiB at most.
pub(crate) fn small_bindings(gpu: &Gpu) -> Result<Gpu, Failed> {
    let info = gpu.device().adapter_info();
    let adapter = adapters()
        .into_iter()
        .find(|a| describe(&a.get_info()) == describe(&info))
        .ok_or("the adapter is gone")?;
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        required_limits: wgpu::Limits {
            max_storage_buffer_binding_size: 4096,
            ..adapter.limits()
        },
        ..Default::default()
    });
    let (device, queue) = pollster::block_on(request)?;
    Ok(Gpu::from_device(device, queue))
}

/// Runs a bound plan, or anything else that records into a pass, and waits for it.
pub(crate) fn submit(gpu: &Gpu, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    record(&mut encoder.begin_compute_pass(&Default::default()));
    gpu.queue().submit([encoder.finish()]);
}

/// A buffer with these words in it, to be bound, written and read.
pub(crate) fn upload(gpu: &Gpu, words: &[u32]) -> wgpu::Buffer {
    use nonlin::wgpu::{BufferDescriptor, BufferUsages};
    let buffer = gpu.device().create_buffer(&BufferDescriptor {
        label: Some("test"),
        size: words.len() as u64 * 4,
        usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    });
    gpu.queue()
        .write_buffer(&buffer, 0, bytemuck::cast_slice(words));
    buffer
}

/// What is in a buffer.
pub(crate) fn download(gpu: &Gpu, buffer: &wgpu::Buffer) -> Vec<u32> {
    use nonlin::wgpu::{BufferDescriptor, BufferUsages, MapMode, PollType};
    let readback = gpu.device().create_buffer(&BufferDescriptor {
        label: Some("test readback"),
        size: buffer.size(),
        usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, buffer.size());
    gpu.queue().submit([encoder.finish()]);
    let (sender, receiver) = std::sync::mpsc::channel();
    readback.map_async(MapMode::Read, .., move |mapped| _ = sender.send(mapped));
    gpu.device()
        .poll(PollType::wait_indefinitely())
        .expect("the device is there");
    // Another test's thread may be the one that answers.
    let mapped = receiver.recv().expect("the device answers");
    mapped.expect("the readback buffer maps");
    let view = readback.get_mapped_range(..).expect("it is mapped");
    bytemuck::cast_slice(&view).to_vec()
}

/// Runs a kernel given as text, in the form for whole words, bound as the library binds it. `values` are
/// those of the chain's parameters.
pub(crate) fn run_text(
    gpu: &Gpu,
    source: &str,
    values: &[f32],
    operands: &[Operand<'_>],
) -> Result<(), Failed> {
    let device = gpu.device();
    let len = operands[0].len() as u32;
    let groups = len.div_ceil(1024);
    // What `Plan::wgsl` gives asks for nothing else, since operands begin with their bindings.
    assert!(operands.iter().all(|operand| operand.offset() == 0));
    let mut args = vec![len, groups, 0, 0];
    args.extend(values.iter().map(|value| value.to_bits()));
    args.resize(args.len().next_multiple_of(4), 0);
    let uniform = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("test arguments"),
        size: args.len() as u64 * 4,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue()
        .write_buffer(&uniform, 0, bytemuck::cast_slice(&args));
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("test kernel"),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("test kernel"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let buffers = operands.iter().map(|operand| match operand.memory() {
        nonlin::Memory::Buffer(buffer) => buffer,
        other => panic!("{other:?} is not a buffer"),
    });
    let entries: Vec<_> = buffers
        .chain([&uniform])
        .enumerate()
        .map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    submit(gpu, |pass| {
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(groups, 1, 1);
    });
    Ok(())
}
