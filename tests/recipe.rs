//! A recipe, launched by hand as a host would, computes what a plan does, bit for bit; and needs of the host
//! only what it says.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use common::{Share, Trials, download, submit, upload};
use libtest_mimic::Failed;
use nonlin::layers::{Images, Layer};
use nonlin::{
    Chain, DType, Gpu, LayerOperands, Layout, Memory, Operand, Operands, Pass, Recipe, wgpu,
};

/// Launches a recipe: buffer `id` is operand `id`. Layouts are taken from the text, pipelines are not kept.
fn launch(gpu: &Gpu, recipe: &Recipe, buffers: &[&wgpu::Buffer]) -> Result<(), Failed> {
    let device = gpu.device();
    let scratch = upload(
        gpu,
        &vec![0xdead_beef; recipe.scratch_bytes() as usize / 4 + 1],
    );
    for dispatch in recipe.dispatches() {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(dispatch.label()),
            source: wgpu::ShaderSource::Wgsl(dispatch.wgsl().into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(dispatch.label()),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let arguments = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: dispatch.arguments().len() as u64 * 4,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let words = bytemuck::cast_slice(dispatch.arguments());
        gpu.queue().write_buffer(&arguments, 0, words);
        let mut entries = Vec::new();
        for binding in dispatch.bindings() {
            let buffer = binding.id().map_or(&scratch, |id| buffers[id as usize]);
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
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        submit(gpu, |pass| {
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            let [x, y, z] = dispatch.workgroups();
            pass.dispatch_workgroups(x, y, z);
        });
    }
    Ok(())
}

/// Values of both signs and many magnitudes.
fn values(count: u64, seed: u32) -> Vec<u32> {
    let value = |i: u64| {
        let bits = (i as u32 ^ seed).wrapping_mul(0x9e37_79b9) ^ seed.rotate_left(11);
        f32::from_bits((bits & 0x8000_0000) | (0x3c00_0000 + (bits >> 5 & 0x03ff_ffff)))
    };
    (0..count).map(|i| value(i).to_bits()).collect()
}

fn host(id: usize, buffer: &wgpu::Buffer, len: u64) -> Operand<'static> {
    let memory = Memory::External {
        id: id as u64,
        size: buffer.size(),
    };
    Operand::in_memory(memory, 0, len)
}

fn same(name: &str, plan: &[u32], recipe: &[u32]) -> Result<(), Failed> {
    match plan.iter().zip(recipe).position(|(a, b)| a != b) {
        Some(at) => Err(format!(
            "{name}[{at}]: {:#x} by the plan, {:#x} by the recipe",
            plan[at], recipe[at]
        )
        .into()),
        None => Ok(()),
    }
}

const POISON: u32 = 0x7fc0_1234;

/// The operands of a chain's pass with all its gradients: x, dy, those of arguments, then what is written.
fn of_chain<'a>(
    names: &[&'a str],
    pass: Pass,
    layout: Layout,
    [len, count]: [u64; 2],
    at: &dyn Fn(usize, u64) -> Operand<'a>,
) -> Operands<'a> {
    let mut operands = Operands::new().x(at(0, len)).layout(layout);
    for (name, id) in names.iter().zip(2..) {
        operands = operands.arg(name, at(id, count), DType::F32);
    }
    let written = 2 + names.len();
    if pass == Pass::Forward {
        return operands.y(at(written, len));
    }
    operands = operands.dy(at(1, len)).dx(at(written, len));
    for (name, id) in names.iter().zip(written + 1..) {
        operands = operands.grad(name, at(id, count), DType::F32);
    }
    operands
}

/// Both passes of a chain with values per channel, or shared, and all gradients.
fn chain(gpu: &Gpu, text: &str, layout: Layout, shared: bool) -> Result<(), Failed> {
    let chain: Chain = text.parse()?;
    let names = chain.operands();
    let len = layout.outer * layout.channels * layout.inner;
    let count = if shared { 1 } else { layout.channels };
    let input = |seed, len| upload(gpu, &values(len, seed));
    let poison = |len: u64| upload(gpu, &vec![POISON; len as usize]);
    let mut inputs = vec![input(1, len), input(2, len)];
    inputs.extend((3..).take(names.len()).map(|seed| input(seed, count)));
    for pass in Pass::FROM_X {
        let grads = if pass == Pass::Forward {
            0
        } else {
            names.len()
        };
        let outputs = || -> Vec<wgpu::Buffer> {
            let grads = std::iter::repeat_n(count, grads);
            let lens = std::iter::once(len).chain(grads);
            inputs.iter().cloned().chain(lens.map(poison)).collect()
        };
        let (by_plan, by_recipe) = (outputs(), outputs());
        let lens = [len, count];
        let at = |id: usize, len| Operand::new(&by_plan[id], 0, len);
        let operands = of_chain(&names, pass, layout, lens, &at);
        let bound = gpu
            .kernels()
            .plan(&chain, pass, DType::F32)?
            .bind(operands)?;
        submit(gpu, |pass| bound.record(pass));

        let at = |id: usize, len| host(id, &by_recipe[id], len);
        let operands = of_chain(&names, pass, layout, lens, &at);
        let limits = gpu.kernels().limits();
        let recipe = Recipe::new(&chain, pass, DType::F32, &operands, &limits)?;
        launch(gpu, &recipe, &by_recipe.iter().collect::<Vec<_>>())?;
        for id in inputs.len()..by_plan.len() {
            let name = format!("{pass}, operand {id}");
            let plan = download(gpu, &by_plan[id]);
            if plan.contains(&POISON) {
                return Err(format!("{name} was not written").into());
            }
            same(&name, &plan, &download(gpu, &by_recipe[id]))?;
        }
    }
    Ok(())
}

/// The operands of a layer's pass: x, dy, parameters, y, dx, gradients, and what is saved.
fn of_layer<'a>(
    pass: Pass,
    [len, count, saved]: [u64; 3],
    at: &dyn Fn(usize, u64) -> Operand<'a>,
) -> LayerOperands<'a> {
    let operands = LayerOperands::new().x(at(0, len)).parameters(at(2, count));
    let operands = match pass {
        Pass::Forward => operands.y(at(3, len)),
        _ => operands
            .dy(at(1, len))
            .dx(at(4, len))
            .gradients(at(5, count)),
    };
    match saved {
        0 => operands,
        saved => operands.saved(at(6, saved)),
    }
}

/// Both passes of a layer.
fn layer(gpu: &Gpu, layer: &Layer, images: Images) -> Result<(), Failed> {
    let parameters = layer.parameters(&images)?;
    let count = parameters.iter().filter_map(|p| p.elements()).sum();
    let lens = [images.elements()?, count, layer.saved_len(&images)?];
    let [len, count, saved] = lens;
    let input = |seed, len| upload(gpu, &values(len, seed));
    let poison = |len: u64| upload(gpu, &vec![POISON; len as usize]);
    let inputs = [input(1, len), input(2, len), input(3, count)];
    let buffers = || {
        let written = [
            poison(len),
            poison(len),
            poison(count),
            poison(saved.max(1)),
        ];
        inputs.iter().cloned().chain(written).collect::<Vec<_>>()
    };
    let (by_plan, by_recipe) = (buffers(), buffers());
    for pass in Pass::FROM_X {
        let operands = of_layer(pass, lens, &|id, len| host(id, &by_recipe[id], len));
        let limits = gpu.kernels().limits();
        let recipe = Recipe::layer(layer, &images, pass, DType::F32, &operands, &limits)?;
        launch(gpu, &recipe, &by_recipe.iter().collect::<Vec<_>>())?;

        let operands = of_layer(pass, lens, &|id, len| Operand::new(&by_plan[id], 0, len));
        let plan = gpu.kernels().layer(layer, &images, pass, DType::F32)?;
        let bound = plan.bind(operands)?;
        submit(gpu, |pass| bound.record(pass));
    }
    for id in inputs.len()..by_plan.len() {
        let (plan, recipe) = (download(gpu, &by_plan[id]), download(gpu, &by_recipe[id]));
        same(&format!("operand {id}"), &plan, &recipe)?;
    }
    match download(gpu, &by_plan[4]).contains(&POISON) {
        true => Err("dx was not written".into()),
        false => Ok(()),
    }
}

fn add(on: &mut Trials) {
    let layouts = [
        ("nchw", 3, 20, 64),
        ("nhwc", 500, 24, 1),
        ("odd", 3, 5, 7),
        ("flat", 1, 1, 9001),
    ];
    let share = Share::of(on);
    for (turn, (name, outer, channels, inner)) in layouts.into_iter().enumerate() {
        let layout = Layout {
            outer,
            channels,
            inner,
        };
        for (index, text) in [
            "scale(0.5) | silu | scale(2)",
            "prelu(weight=@w)",
            "scale(@s) | bias(@b) | acon_c(p1=@p, p2=@q, beta=1)",
            "dropout(0.3) | scale(@s) | mish",
            // With fewer rows than lanes: what these leave of sums is zero.
            "rms_norm | scale(@s) | bias(@b)",
        ]
        .into_iter()
        .enumerate()
        {
            for shared in [false, true] {
                if !share.has(turn + index + usize::from(shared)) {
                    continue;
                }
                let whose = if shared { "shared" } else { "channels" };
                on.add(format!("chain::{name}::{index}::{whose}"), move |gpu| {
                    chain(gpu, text, layout, shared)
                });
            }
        }
    }
    let of_slow = Share::without_gl(on);
    for (turn, (name, images)) in [
        ("nchw", Images::nchw(2, 8, 6, 8)),
        ("nhwc", Images::nhwc(2, 6, 8, 8)),
    ]
    .into_iter()
    .enumerate()
    {
        for (index, text) in Layer::NAMES.into_iter().enumerate() {
            let is_slow = ["frelu", "dyrelu_c"].contains(&text);
            let share = if is_slow { of_slow } else { share };
            if share.has(turn + index) {
                on.add(format!("{text}::{name}"), move |gpu| {
                    layer(gpu, &text.parse()?, images)
                });
            }
        }
    }
    on.add("a_wrong_argument_shows", |gpu| {
        // The harness can fail: another factor, and nothing else.
        let (x, y) = (upload(gpu, &values(64, 1)), upload(gpu, &[0; 64]));
        let mut results = Vec::new();
        for factor in [2.0, 2.5] {
            let chain = Chain::new().scale(factor);
            let told = Operands::new().x(host(0, &x, 64)).y(host(1, &y, 64));
            let limits = gpu.kernels().limits();
            let recipe = Recipe::new(&chain, Pass::Forward, DType::F32, &told, &limits)?;
            launch(gpu, &recipe, &[&x, &y])?;
            results.push(download(gpu, &y));
        }
        match same("y", &results[0], &results[1]) {
            Ok(()) => Err("other factors gave the same values".into()),
            Err(_) => Ok(()),
        }
    });
    on.add("other_operands_are_refused", |gpu| {
        let x = upload(gpu, &[0; 4]);
        let limits = gpu.kernels().limits();
        let chain = Chain::new().scale(2.0);
        let told = Operands::new().x(host(0, &x, 4)).y(Operand::new(&x, 0, 4));
        let refused = Recipe::new(&chain, Pass::Forward, DType::F32, &told, &limits);
        if !matches!(
            refused,
            Err(nonlin::Error::Operand(nonlin::OperandError::NotExternal))
        ) {
            return Err(format!("{refused:?}").into());
        }
        let plan = gpu.kernels().plan(&chain, Pass::Forward, DType::F32)?;
        match plan.bind(told) {
            Err(nonlin::Error::Operand(nonlin::OperandError::NotABuffer)) => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    });
}

fn main() -> ! {
    // While one thread compiles, wgpu's GL gives up on the others after some seconds.
    common::main_with(1, add)
}
