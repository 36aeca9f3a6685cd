//! `nonlin` inside a wgpu program that knows nothing of it: the program's own device, its own shader before
//! and its own shader behind, all in one compute pass and one submit.
//!
//! One buffer holds everything, as in an engine with an arena: the program's first shader writes x, `nonlin`
//! reads it and writes y and dx into other ranges of the same buffer, and the program's second shader takes
//! the difference quotient of y, to be compared with dx.
//!
//! Run it with `cargo run --example embed`.

use nonlin::wgpu::{self, util::DeviceExt};
use nonlin::{Chain, DType, Kernels, Operand, Operands, Pass, reference};

/// Elements in each of the arena's ranges.
const COUNT: u64 = 4096;

/// The program's own shaders: they know of ranges in a buffer, and of no activation.
const OWN_SHADERS: &str = "
const COUNT: u32 = 4096u;
@group(0) @binding(0) var<storage, read_write> arena: array<f32>;

fn x_at(i: u32) -> f32 {
    return (f32(i) - 2048.0) / 256.0;
}

@compute @workgroup_size(64)
fn ramp(@builtin(global_invocation_id) id: vec3<u32>) {
    arena[id.x] = x_at(id.x);
    arena[2u * COUNT + id.x] = 1.0;
}

@compute @workgroup_size(64)
fn quotient(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = clamp(id.x, 1u, COUNT - 2u);
    arena[4u * COUNT + id.x] = (arena[COUNT + i + 1u] - arena[COUNT + i - 1u]) * 128.0;
}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The program's own device, and its own pipelines and bind groups.
    let instance =
        wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    println!("on {}", nonlin::describe(&adapter.get_info()));
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_limits: wgpu::Limits::downlevel_defaults().using_alignment(adapter.limits()),
        ..Default::default()
    }))?;
    let arena = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some("arena"),
        contents: &vec![0; 5 * COUNT as usize * size_of::<f32>()],
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
    });
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("own"),
        source: wgpu::ShaderSource::Wgsl(OWN_SHADERS.into()),
    });
    let own = ["ramp", "quotient"].map(|entry_point| {
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry_point),
            layout: None,
            module: &module,
            entry_point: Some(entry_point),
            compilation_options: Default::default(),
            cache: None,
        });
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(entry_point),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: arena.as_entire_binding(),
            }],
        });
        (pipeline, bind_group)
    });

    // What nonlin needs: made once, recorded as often as the program likes.
    let chain: Chain = "scale(0.5) | silu | scale(2)".parse()?;
    let kernels = Kernels::new(&device);
    let range = |index: u64| Operand::new(&arena, index * COUNT * 4, COUNT);
    let forward = kernels
        .plan(&chain, Pass::Forward, DType::F32)?
        .bind(Operands::new().x(range(0)).y(range(1)))?;
    let backward = kernels
        .plan(&chain, Pass::Backward, DType::F32)?
        .bind(Operands::new().x(range(0)).dy(range(2)).dx(range(3)))?;

    // One pass, one submit.
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let record_own = |pass: &mut wgpu::ComputePass<'_>, index: usize| {
            pass.set_pipeline(&own[index].0);
            pass.set_bind_group(0, &own[index].1, &[]);
            pass.dispatch_workgroups(COUNT as u32 / 64, 1, 1);
        };
        record_own(&mut pass, 0);
        forward.record(&mut pass);
        backward.record(&mut pass);
        record_own(&mut pass, 1);
    }
    let readback = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("readback"),
        size: arena.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    encoder.copy_buffer_to_buffer(&arena, 0, &readback, 0, arena.size());
    queue.submit([encoder.finish()]);
    readback.map_async(wgpu::MapMode::Read, .., |_| ());
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let bytes = readback.get_mapped_range(..)?;
    let values: Vec<&[f32]> = bytemuck::cast_slice(&bytes)
        .chunks(COUNT as usize)
        .collect();
    let (x, y, dy, dx, quotient) = (values[0], values[1], values[2], values[3], values[4]);

    println!(
        "{chain}\n{:>8} {:>12} {:>12} {:>12}",
        "x", "y", "dx", "quotient"
    );
    for i in (256..COUNT as usize).step_by(512) {
        println!(
            "{:>8.3} {:>12.7} {:>12.7} {:>12.7}",
            x[i], y[i], dx[i], quotient[i]
        );
    }
    for report in [
        nonlin::check::forward(&chain, x, y)?,
        nonlin::check::backward(&chain, x, dy, dx)?,
    ] {
        println!(
            "{} elements compared with the f64 reference, {} fail",
            report.compared, report.failed
        );
        if !report.passes() {
            return Err(format!("{:?}", report.worst).into());
        }
    }
    // The quotient's own error: half a step squared of curvature, and f32's rounding times 128.
    let slopes = reference::backward(&chain, x, dy)?;
    let inner = 1..COUNT as usize - 1;
    match inner
        .into_iter()
        .find(|&i| (f64::from(quotient[i]) - slopes[i]).abs() > 2e-4)
    {
        Some(i) => Err(format!(
            "at x = {} the quotient is {}, the slope {}",
            x[i], quotient[i], slopes[i]
        )
        .into()),
        None => Ok(()),
    }
}
