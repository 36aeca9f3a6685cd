//! Recipes through another major version of wgpu than the library's: a chain with a learned slope for each channel, forward
//! and backward, compared with the reference.
//!
//! `cargo run --manifest-path examples/other_wgpu/Cargo.toml`

use nonlin::check::{Expected, gradient};
use nonlin::{Chain, DType, Layout, Limits, Memory, Operand, Operands, Pass, Recipe, Values};
use std::collections::HashMap;
use std::error::Error;

const LAYOUT: Layout = Layout {
    outer: 8,
    channels: 3,
    inner: 1000,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut engine = Engine::open()?;
    let chain: Chain = "scale(0.5) | silu | prelu(weight=@w)".parse()?;
    let count = (LAYOUT.outer * LAYOUT.channels * LAYOUT.inner) as usize;
    let ramp = |scale: f32| (0..count).map(move |i| (i as f32 / count as f32 - 0.5) * scale);
    let (x, dy): (Vec<f32>, Vec<f32>) = (ramp(12.0).collect(), ramp(-3.0).collect());
    let weights = [0.25f32, -0.5, 0.1];

    // The engine's memory, by number.
    let [x_id, w_id, dy_id] = [&x[..], &weights, &dy].map(|values| engine.memory(values));
    let [y_id, dx_id] = [count, count].map(|len| engine.memory(&vec![0.0; len]));
    let dw_id = engine.memory(&[0.0; 3]);
    let at = |engine: &Engine, id: usize| {
        let size = engine.memory[id].size();
        let memory = Memory::External {
            id: id as u64,
            size,
        };
        Operand::in_memory(memory, 0, size / 4)
    };

    let forward = Operands::new()
        .x(at(&engine, x_id))
        .y(at(&engine, y_id))
        .arg("w", at(&engine, w_id), DType::F32)
        .layout(LAYOUT);
    let limits = engine.limits();
    let recipe = Recipe::new(&chain, Pass::Forward, DType::F32, &forward, &limits)?;
    engine.launch(&recipe);

    let backward = Operands::new()
        .x(at(&engine, x_id))
        .dy(at(&engine, dy_id))
        .dx(at(&engine, dx_id))
        .arg("w", at(&engine, w_id), DType::F32)
        .grad("w", at(&engine, dw_id), DType::F32)
        .layout(LAYOUT);
    let recipe = Recipe::new(&chain, Pass::Backward, DType::F32, &backward, &limits)?;
    engine.launch(&recipe);

    let values = Values::new().arg("w", &weights).layout(LAYOUT);
    let expected = Expected::forward_with(&chain, &x, &values)?;
    let y = expected.compare(&engine.read(y_id)?)?;
    let expected = Expected::backward_with(&chain, &x, &dy, &values)?;
    let dx = expected.compare(&engine.read(dx_id)?)?;
    let dw = gradient(&chain, &x, &dy, &values, "w", &engine.read(dw_id)?)?;
    for (name, report) in [("y", y), ("dx", dx), ("d_w", dw)] {
        let worst = report.worst.as_ref().map_or(0.0, |worst| worst.ulp);
        println!(
            "{name}: {} elements, worst error {worst:.2}",
            report.compared
        );
        if !report.passes() {
            return Err(format!("{name} is wrong: {:?}", report.worst).into());
        }
    }
    Ok(())
}

/// What an engine has: a device, memory by number, and pipelines by their kernels' text.
struct Engine {
    device: wgpu::Device,
    queue: wgpu::Queue,
    memory: Vec<wgpu::Buffer>,
    pipelines: HashMap<String, wgpu::ComputePipeline>,
}

impl Engine {
    fn open() -> Result<Self, Box<dyn Error>> {
        let descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
        let instance = wgpu::Instance::new(descriptor);
        let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
        println!("{} through wgpu 29", adapter.get_info().name);
        let request = adapter.request_device(&Default::default());
        let (device, queue) = pollster::block_on(request)?;
        Ok(Engine {
            device,
            queue,
            memory: Vec::new(),
            pipelines: HashMap::new(),
        })
    }

    /// What recipes must know of the device.
    fn limits(&self) -> Limits {
        let limits = self.device.limits();
        Limits {
            max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size.into(),
            max_uniform_buffer_binding_size: limits.max_uniform_buffer_binding_size.into(),
            max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
            min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
        }
    }

    fn buffer(&self, bytes: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes.max(4),
            usage: usage | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// New memory with these values.
    fn memory(&mut self, values: &[f32]) -> usize {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffer = self.buffer(size_of_val(values) as u64, usage);
        self.queue
            .write_buffer(&buffer, 0, bytemuck::cast_slice(values));
        self.memory.push(buffer);
        self.memory.len() - 1
    }

    /// Dispatches what a recipe says. In one pass each dispatch sees what the one before it wrote.
    fn launch(&mut self, recipe: &Recipe) {
        let scratch = self.buffer(recipe.scratch_bytes(), wgpu::BufferUsages::STORAGE);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for dispatch in recipe.dispatches() {
            let words = dispatch.arguments();
            let arguments = self.buffer(size_of_val(words) as u64, wgpu::BufferUsages::UNIFORM);
            self.queue
                .write_buffer(&arguments, 0, bytemuck::cast_slice(words));
            let pipeline = self.pipeline(dispatch.label(), dispatch.wgsl());
            let mut entries = Vec::new();
            for binding in dispatch.bindings() {
                let buffer = match binding.id() {
                    Some(id) => &self.memory[id as usize],
                    None => &scratch,
                };
                entries.push(wgpu::BindGroupEntry {
                    binding: entries.len() as u32,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer,
                        offset: binding.offset(),
                        size: std::num::NonZeroU64::new(binding.size()),
                    }),
                });
            }
            entries.push(wgpu::BindGroupEntry {
                binding: entries.len() as u32,
                resource: arguments.as_entire_binding(),
            });
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            let [x, y, z] = dispatch.workgroups();
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        self.queue.submit([encoder.finish()]);
    }

    /// The pipeline of a kernel; its bindings are those that the text mentions.
    fn pipeline(&mut self, label: &str, wgsl: &str) -> wgpu::ComputePipeline {
        if let Some(known) = self.pipelines.get(wgsl) {
            return known.clone();
        }
        let module = wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(wgsl.into()),
        };
        let module = self.device.create_shader_module(module);
        let descriptor = wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        };
        let pipeline = self.device.create_compute_pipeline(&descriptor);
        self.pipelines.insert(wgsl.to_owned(), pipeline.clone());
        pipeline
    }

    /// The values in memory. Blocks until they are there.
    fn read(&self, id: usize) -> Result<Vec<f32>, Box<dyn Error>> {
        let (source, usage) = (&self.memory[id], wgpu::BufferUsages::MAP_READ);
        let readback = self.buffer(source.size(), usage);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(source, 0, &readback, 0, source.size());
        self.queue.submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(bytemuck::cast_slice(&readback.get_mapped_range(..)).to_vec())
    }
}
