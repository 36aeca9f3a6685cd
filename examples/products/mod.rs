//! Matrix products of the examples' own, as plain as can be: one kernel for any strides, so for products, their transposes and
//! their gradients; and how results are read.

use nonlin::wgpu::{self, util::DeviceExt};
use nonlin::{Bound, Gpu};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const MATMUL: &str = "
struct Shape {
    rows: u32,
    columns: u32,
    inner: u32,
    a_row: u32,
    a_inner: u32,
    b_inner: u32,
    b_column: u32,
}
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / shape.columns;
    let column = id.x % shape.columns;
    if row >= shape.rows {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < shape.inner; k++) {
        let left = a[row * shape.a_row + k * shape.a_inner];
        sum += left * b[k * shape.b_inner + column * shape.b_column];
    }
    c[id.x] = sum;
}
";

/// c = a b: its rows, its columns, and how many products are summed for each element; how far apart a's elements are along
/// rows and along the sum, and b's along the sum and along columns.
#[derive(Clone, Copy)]
pub(crate) struct Product(
    pub(crate) [usize; 3],
    pub(crate) [usize; 2],
    pub(crate) [usize; 2],
);

/// A dispatch of ours, or of the library's.
pub(crate) enum Step {
    Product {
        pipeline: wgpu::ComputePipeline,
        group: wgpu::BindGroup,
        workgroups: u32,
    },
    Chain(Bound),
}

impl Step {
    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        match self {
            Step::Chain(bound) => bound.record(pass),
            Step::Product {
                pipeline,
                group,
                workgroups,
            } => {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(*workgroups, 1, 1);
            }
        }
    }
}

/// A device, and the kernel on it.
pub(crate) struct Machine {
    pub(crate) gpu: Gpu,
    matmul: wgpu::ComputePipeline,
}

impl Machine {
    pub(crate) fn new() -> Result<Self> {
        let gpu = Gpu::new()?;
        let device = gpu.device();
        println!("on {}", nonlin::describe(&device.adapter_info()));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("matmul"),
            source: wgpu::ShaderSource::Wgsl(MATMUL.into()),
        });
        let matmul = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("matmul"),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        Ok(Machine { gpu, matmul })
    }

    /// A buffer of zeros.
    pub(crate) fn empty(&self, len: usize) -> wgpu::Buffer {
        self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 4 * len as u64,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    pub(crate) fn write(&self, buffer: &wgpu::Buffer, data: &[f32]) {
        let bytes = bytemuck::cast_slice(data);
        self.gpu.queue().write_buffer(buffer, 0, bytes);
    }

    pub(crate) fn product(
        &self,
        Product([rows, columns, inner], [a_row, a_inner], [b_inner, b_column]): Product,
        a: &wgpu::Buffer,
        b: &wgpu::Buffer,
        c: &wgpu::Buffer,
    ) -> Step {
        let device = self.gpu.device();
        let words = [rows, columns, inner, a_row, a_inner, b_inner, b_column, 0];
        let shape = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(&words.map(|word| word as u32)),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let buffers = [a, b, c, &shape];
        let entries = [0, 1, 2, 3].map(|binding| wgpu::BindGroupEntry {
            binding,
            resource: buffers[binding as usize].as_entire_binding(),
        });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.matmul.get_bind_group_layout(0),
            entries: &entries,
        });
        Step::Product {
            pipeline: self.matmul.clone(),
            group,
            workgroups: (rows * columns).div_ceil(64) as u32,
        }
    }

    /// Runs steps one behind the other.
    pub(crate) fn run(&self, steps: &[Step]) {
        let device = self.gpu.device();
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        steps.iter().for_each(|step| step.record(&mut pass));
        drop(pass);
        self.gpu.queue().submit([encoder.finish()]);
    }

    pub(crate) fn read(&self, buffers: &[&wgpu::Buffer]) -> Result<Vec<Vec<f32>>> {
        let device = self.gpu.device();
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut copy = |buffer: &&wgpu::Buffer| {
            let copy = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: buffer.size(),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
            copy
        };
        let copies: Vec<_> = buffers.iter().map(&mut copy).collect();
        self.gpu.queue().submit([encoder.finish()]);
        for copy in &copies {
            copy.map_async(wgpu::MapMode::Read, .., |_| ());
        }
        device.poll(wgpu::PollType::wait_indefinitely())?;
        let read = |copy: &wgpu::Buffer| -> Result<Vec<f32>> {
            Ok(bytemuck::cast_slice(&copy.get_mapped_range(..)?).to_vec())
        };
        copies.iter().map(read).collect()
    }
}
