//! Layers, fused and as one simple kernel for each operation, forward and backward behind each other.
//!
//! `cargo bench -p nonlin-cli --bench layers`; `WGPU_ADAPTER_NAME` picks an adapter. `nonlin bench LAYER` takes samples
//! in turns, which noise hurts less, and compares results first.

#[expect(dead_code, reason = "`nonlin bench` compares results and counts bytes")]
#[path = "../src/bench/unfused/mod.rs"]
mod unfused;

use criterion::{Criterion, criterion_group, criterion_main};
use nonlin::layers::{Images, Layer};
use nonlin::wgpu::{self, ComputePass};
use nonlin::{Bound, DType, Gpu, LayerOperands, Operand, Operands, Pass};
use std::time::{Duration, Instant};
use unfused::Work;

const IMAGES: Images = Images::nchw(16, 64, 56, 56);

/// The time of `count` submits of what `record` records, each waited for.
fn time(gpu: &Gpu, count: u64, record: impl Fn(&mut ComputePass<'_>)) -> Duration {
    let device = gpu.device();
    let mut total = Duration::ZERO;
    for _ in 0..count {
        let mut encoder = device.create_command_encoder(&Default::default());
        record(&mut encoder.begin_compute_pass(&Default::default()));
        let start = Instant::now();
        gpu.queue().submit([encoder.finish()]);
        device
            .poll(wgpu::PollType::wait_indefinitely())
            .expect("the device is there");
        total += start.elapsed();
    }
    total
}

fn buffer(gpu: &Gpu, values: &[f32]) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("bench"),
        size: (values.len() as u64 * 4).next_multiple_of(16).max(16),
        usage,
        mapped_at_creation: false,
    });
    gpu.queue()
        .write_buffer(&buffer, 0, bytemuck::cast_slice(values));
    buffer
}

/// Numbers from -1 to 1 without order.
fn numbers(count: u64, seed: u64) -> Vec<f32> {
    let at = |i: u64| (i + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (0..count)
        .map(|i| at(i) as f32 / (1 << 23) as f32 - 1.0)
        .collect()
}

fn layer(c: &mut Criterion, gpu: &Gpu, layer: &Layer) {
    let len = IMAGES.elements().expect("few");
    let [x, dy] = [1, 2].map(|seed| buffer(gpu, &numbers(len, seed)));
    let [y, dx] = [0, 0].map(|_| buffer(gpu, &vec![0.0; len as usize]));
    let listed = layer.parameters(&IMAGES).expect("good settings");
    let mut values = Vec::new();
    for (seed, parameter) in listed.iter().enumerate() {
        let count = parameter.elements().expect("few");
        let own = numbers(count, 100 * seed as u64);
        match parameter.name.starts_with("running_var") {
            true => values.extend(own.iter().map(|v| v + 2.0)),
            false => values.extend(own.iter().map(|v| v * 0.2)),
        }
    }
    let plan = |pass| {
        let plan = gpu.kernels().layer(layer, &IMAGES, pass, DType::F32);
        plan.expect("good settings")
    };
    let plans = [plan(Pass::Forward), plan(Pass::Backward)];
    let saved = buffer(gpu, &vec![0.0; plans[0].saved_len() as usize]);
    let parameters = buffer(gpu, &values);
    let gradients = buffer(gpu, &vec![0.0; values.len()]);
    let each = |buffer| Operand::new(buffer, 0, len);
    let bounds = plans.each_ref().map(|plan| {
        let count = plan.parameters_len();
        let mut operands =
            LayerOperands::new()
                .x(each(&x))
                .parameters(Operand::new(&parameters, 0, count));
        operands = match plan.pass() {
            Pass::Forward => operands.y(each(&y)),
            _ => operands
                .dy(each(&dy))
                .dx(each(&dx))
                .gradients(Operand::new(&gradients, 0, count)),
        };
        if plan.saved_len() > 0 {
            operands = operands.saved(Operand::new(&saved, 0, plan.saved_len()));
        }
        plan.bind(operands).expect("the operands fit")
    });
    let work = Work {
        gpu,
        images: IMAGES,
        x: &x,
        dy: &dy,
        listed: &listed,
        values: &values,
    };
    let apart = match layer {
        Layer::Frelu(layer) => unfused::frelu(&work, layer),
        Layer::MetaAcon(layer) => unfused::meta_acon(&work, layer),
        Layer::DynamicRelu(layer) => unfused::dynamic_relu(&work, layer),
    };
    let scratch: u64 = bounds.iter().map(Bound::scratch_bytes).sum();
    let kept = plans[0].saved_len() * 4;
    println!(
        "{layer}: scratch and saved values are {:.4} of x",
        (scratch + kept) as f64 / (len * 4) as f64
    );
    let mut group = c.benchmark_group(layer.to_string());
    group.bench_function("fused", |b| {
        b.iter_custom(|n| time(gpu, n, |pass| bounds.iter().for_each(|b| b.record(pass))))
    });
    let dispatches = || {
        apart
            .forward
            .dispatches
            .iter()
            .chain(&apart.backward.dispatches)
    };
    group.bench_function("unfused", |b| {
        b.iter_custom(|n| time(gpu, n, |pass| dispatches().for_each(|d| d.record(pass))))
    });
}

fn copy(c: &mut Criterion, gpu: &Gpu) {
    let len = IMAGES.elements().expect("few");
    let [x, dy, y] = [1, 2, 3].map(|seed| buffer(gpu, &numbers(len, seed)));
    let [x, dy, y] = [&x, &dy, &y].map(|buffer| Operand::new(buffer, 0, len));
    let bounds = Pass::FROM_X.map(|pass| {
        let plan = gpu.kernels().copy(pass, DType::F32).expect("it compiles");
        let operands = match pass {
            Pass::Forward => Operands::new().x(x).y(y),
            _ => Operands::new().x(x).dy(dy).dx(y),
        };
        plan.bind(operands).expect("the operands fit")
    });
    c.bench_function("copy, forward and backward", |b| {
        b.iter_custom(|n| time(gpu, n, |pass| bounds.iter().for_each(|b| b.record(pass))))
    });
}

fn layers(c: &mut Criterion) {
    let gpu = Gpu::new().expect("an adapter");
    let adapter = nonlin::describe(&gpu.device().adapter_info());
    println!("{adapter}, {IMAGES:?}");
    copy(c, &gpu);
    for text in [
        "meta_acon",
        "dyrelu_a",
        "dyrelu_b",
        "dyrelu_c",
        "frelu",
        "frelu(norm=train)",
    ] {
        layer(c, &gpu, &text.parse().expect("a layer"));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = layers
}
criterion_main!(benches);
