//! What the CPU pays: binding a plan, recording a bound plan beside recording the same dispatch with bare
//! wgpu, and asking for a plan that is compiled already. Nothing is submitted.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use nonlin::wgpu;
use nonlin::{Chain, DType, Gpu, Operand, Operands, Pass};

fn host(c: &mut Criterion) {
    let gpu = Gpu::new().expect("an adapter");
    let device = gpu.device();
    println!("{}", nonlin::describe(&device.adapter_info()));
    let buffer = |usage| {
        let descriptor = wgpu::BufferDescriptor {
            label: None,
            size: 1 << 16,
            usage,
            mapped_at_creation: false,
        };
        device.create_buffer(&descriptor)
    };
    let [x, y] = [0, 1].map(|_| buffer(wgpu::BufferUsages::STORAGE));
    let operands = Operands::new()
        .x(Operand::new(&x, 0, 1 << 14))
        .y(Operand::new(&y, 0, 1 << 14));
    let chain: Chain = "scale(0.5) | silu | scale(2)".parse().expect("a chain");
    let plan = || {
        gpu.kernels()
            .plan(&chain, Pass::Forward, DType::F32)
            .expect("it compiles")
    };
    let bound = plan().bind(operands.clone()).expect("the operands fit");

    c.bench_function("plan again", |b| b.iter(plan));
    let once = plan();
    c.bench_function("bind", |b| {
        b.iter(|| once.bind(operands.clone()).expect("the operands fit"))
    });

    // The same kernel without nonlin's host code.
    let args = buffer(wgpu::BufferUsages::UNIFORM);
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(once.wgsl().into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let resource = [&x, &y, &args].map(wgpu::Buffer::as_entire_binding);
    let mut binding = 0..;
    let entries = resource.map(|resource| wgpu::BindGroupEntry {
        binding: binding.next().unwrap_or_default(),
        resource,
    });
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });

    // Recording alone: the pass is begun before and ended behind the timing. What ending it costs is wgpu's,
    // and the same for both.
    let mut record = |name: &str, dispatch: &dyn Fn(&mut wgpu::ComputePass<'_>)| {
        c.bench_function(name, |b| {
            let pass = || {
                let mut encoder = device.create_command_encoder(&Default::default());
                encoder
                    .begin_compute_pass(&Default::default())
                    .forget_lifetime()
            };
            b.iter_batched(
                pass,
                |mut pass| {
                    (0..100).for_each(|_| dispatch(&mut pass));
                    pass
                },
                BatchSize::SmallInput,
            );
        });
    };
    record("record 100, bare wgpu", &|pass| {
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(16, 1, 1);
    });
    record("record 100, bound plan", &|pass| bound.record(pass));
}

criterion_group!(benches, host);
criterion_main!(benches);
