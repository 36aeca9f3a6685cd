//! An activation in the epilogue of somebody's own matmul, and its derivative in the prologue of the
//! matmul's backward: no dispatch and no memory traffic for either.
//!
//! The kernels are the example's own and as plain as can be; `nonlin` gives only text, by
//! [`Chain::functions`]. Forward is y = gelu(a b + bias) and keeps z = a b + bias; backward is
//! da = (dy * gelu'(z)) b^T. Both are checked against f64.
//!
//! Run it with `cargo run --example matmul_epilogue`, or with another chain:
//! `cargo run --example matmul_epilogue -- 'mish | scale(0.5)'`.

use nonlin::wgpu::{self, util::DeviceExt};
use nonlin::{Chain, Gpu, reference};

/// a is ROWS x INNER, b is INNER x COLUMNS.
const ROWS: usize = 96;
const INNER: usize = 40;
const COLUMNS: usize = 72;

/// The example's own kernels. `VALUES` stands for the chain's arguments: none, or `, scalars`.
const OWN_KERNELS: &str = "
const ROWS: u32 = 96u;
const INNER: u32 = 40u;
const COLUMNS: u32 = 72u;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> da: array<f32>;

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= COLUMNS || id.y >= ROWS {
        return;
    }
    var sum = bias[id.x];
    for (var k = 0u; k < INNER; k++) {
        sum += a[id.y * INNER + k] * b[k * COLUMNS + id.x];
    }
    z[id.y * COLUMNS + id.x] = sum;
    y[id.y * COLUMNS + id.x] = epilogue_y(sumVALUES);
}

@compute @workgroup_size(8, 8)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= INNER || id.y >= ROWS {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < COLUMNS; k++) {
        let at = id.y * COLUMNS + k;
        sum += epilogue_dx(z[at], dy[at]VALUES) * b[id.x * COLUMNS + k];
    }
    da[id.y * INNER + id.x] = sum;
}
";

/// Reproducible numbers between -1 and 1.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "gelu".into());
    let chain: Chain = text.parse()?;
    // The chain's parameters could come in a uniform buffer; here they are written into the kernel.
    let values: Vec<_> = chain
        .values()
        .iter()
        .map(|value| format!("{value:?}"))
        .collect();
    let arguments = match values.is_empty() {
        true => String::new(),
        false => format!(", epilogue_Scalars({})", values.join(", ")),
    };
    let source = chain.functions("epilogue")? + &OWN_KERNELS.replace("VALUES", &arguments);

    let gpu = Gpu::new()?;
    let (device, queue) = (gpu.device(), gpu.queue());
    println!("on {}", nonlin::describe(&device.adapter_info()));
    let (a, b) = (numbers(ROWS * INNER, 1), numbers(INNER * COLUMNS, 2));
    let (bias, dy) = (numbers(COLUMNS, 3), numbers(ROWS * COLUMNS, 4));
    let buffer = |contents: &[f32]| {
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(contents),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        })
    };
    let zeros = |count: usize| buffer(&vec![0.0; count]);
    let buffers = [
        buffer(&a),
        buffer(&b),
        buffer(&bias),
        zeros(ROWS * COLUMNS),
        zeros(ROWS * COLUMNS),
        buffer(&dy),
        zeros(ROWS * INNER),
    ];
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("matmul with an epilogue"),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    for (entry_point, columns, bindings) in [
        ("forward", COLUMNS, &[0, 1, 2, 3, 4][..]),
        ("backward", INNER, &[1, 3, 5, 6][..]),
    ] {
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry_point),
            layout: None,
            module: &module,
            entry_point: Some(entry_point),
            compilation_options: Default::default(),
            cache: None,
        });
        let entries: Vec<_> = bindings
            .iter()
            .map(|&binding| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: buffers[binding].as_entire_binding(),
            })
            .collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(entry_point),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(columns.div_ceil(8) as u32, ROWS.div_ceil(8) as u32, 1);
    }
    let results = [3, 4, 6].map(|index: usize| {
        let readback = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffers[index].size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(&buffers[index], 0, &readback, 0, readback.size());
        readback
    });
    queue.submit([encoder.finish()]);
    results
        .iter()
        .for_each(|readback| readback.map_async(wgpu::MapMode::Read, .., |_| ()));
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let read = |readback: &wgpu::Buffer| -> Result<Vec<f32>, wgpu::MapRangeError> {
        Ok(bytemuck::cast_slice(&readback.get_mapped_range(..)?).to_vec())
    };
    let (z, y, da) = (read(&results[0])?, read(&results[1])?, read(&results[2])?);

    // The epilogue, from the z that the kernel had: to the usual budget. The matmuls, in f64: to the
    // rounding of their sums.
    let report = nonlin::check::forward(&chain, &z, &y)?;
    if !report.passes() {
        return Err(format!("epilogue: {:?}", report.worst).into());
    }
    let mut worst: f64 = 0.0;
    for (at, z) in z.iter().enumerate() {
        let (row, column) = (at / COLUMNS, at % COLUMNS);
        let products =
            (0..INNER).map(|k| f64::from(a[row * INNER + k]) * f64::from(b[k * COLUMNS + column]));
        worst = worst.max((products.sum::<f64>() + f64::from(bias[column]) - f64::from(*z)).abs());
    }
    let dz = reference::backward(&chain, &z, &dy)?;
    let mut worst_da: f64 = 0.0;
    for (at, da) in da.iter().enumerate() {
        let (row, k) = (at / INNER, at % INNER);
        let products = (0..COLUMNS)
            .map(|column| dz[row * COLUMNS + column] * f64::from(b[k * COLUMNS + column]));
        worst_da = worst_da.max((products.sum::<f64>() - f64::from(*da)).abs());
    }
    println!("y = {chain} of a b + bias, {ROWS} x {INNER} x {COLUMNS}");
    println!(
        "epilogue: {} elements within their allowed error",
        report.compared
    );
    println!(
        "z is off by at most {worst:.1e}, da by at most {worst_da:.1e} (f32 sums of {INNER} and {COLUMNS})"
    );
    if worst > 1e-5 || worst_da > 1e-4 {
        return Err("a matmul is off by more than rounding explains".into());
    }
    Ok(())
}
