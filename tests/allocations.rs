//! Recording a bound plan allocates nothing of ours: as much as recording the same with bare wgpu. On wgpu's
//! noop backend.

use nonlin::wgpu;
use nonlin::{Activation, DType, Kernels, Operand, Operands, Pass};

#[test]
fn recording_allocates_nothing_of_ours() {
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    let buffer = |usage| {
        let descriptor = wgpu::BufferDescriptor {
            label: None,
            size: 1024,
            usage,
            mapped_at_creation: false,
        };
        device.create_buffer(&descriptor)
    };
    let [x, y] = [0, 1].map(|_| buffer(wgpu::BufferUsages::STORAGE));
    let kernels = Kernels::new(&device);
    let plan = kernels
        .plan(&Activation::Silu.into(), Pass::Forward, DType::F32)
        .unwrap();
    let bound = plan
        .bind(
            Operands::new()
                .x(Operand::new(&x, 0, 256))
                .y(Operand::new(&y, 0, 256)),
        )
        .unwrap();

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
    let args = buffer(wgpu::BufferUsages::UNIFORM);
    let entries: Vec<_> = [&x, &y, &args]
        .into_iter()
        .zip(0..)
        .map(|(buffer, binding)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });

    // wgpu keeps a list of commands, which grows as it will: the same number of times for both.
    let count = |record: &dyn Fn(&mut wgpu::ComputePass<'_>)| {
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let counted = allocation_counter::measure(|| (0..1000).for_each(|_| record(&mut pass)));
        drop(pass);
        queue.submit([encoder.finish()]);
        counted.count_total
    };
    let bare = |pass: &mut wgpu::ComputePass<'_>| {
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(1, 1, 1);
    };
    let ours = count(&|pass| bound.record(pass));
    assert_eq!(ours, count(&bare));
    // The counter counts: a recording that allocates once each time is found out.
    let wasteful = count(&|pass| {
        std::hint::black_box(Box::new(1));
        bare(pass);
    });
    assert_eq!(wasteful, ours + 1000);
}
