//! The MLP of gpt-oss: two matrix products of the example's own, and between them its clamped SwiGLU with the bias of the
//! first product, as one dispatch forward and one sweep backward.
//!
//! The first product's columns alternate, gate and up, gate and up. They are read where they lie, and both gradients are
//! written where they belong: nobody takes the tensor apart. What comes out is compared with the same in f64.
//!
//! Run it with `cargo run --example gpt_oss_mlp`.

use nonlin::wgpu::{self, util::DeviceExt};
use nonlin::{Chain, DType, Gpu, Layout, Operand, Operands, Pass, Rows, Values, reference};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const TOKENS: usize = 48;
const HIDDEN: usize = 40;
const INNER: usize = 72;

/// swiglu_oai(limit = 7, alpha = 1.702), with the first product's bias on either half before it.
const ACTIVATION: &str = "bias(@b_gate) | clip(max=7) | swish(1.702) \
                          | gate(@up | bias(@b_up) | clip(-7, 7) | bias(1))";

/// c = a b for any strides: each of the products, and each of their gradients.
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

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= shape.columns || id.y >= shape.rows {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < shape.inner; k++) {
        let left = a[id.y * shape.a_row + k * shape.a_inner];
        sum += left * b[k * shape.b_inner + id.x * shape.b_column];
    }
    c[id.y * shape.columns + id.x] = sum;
}
";

/// A product of two matrices: its lengths, and how far apart elements of a and b are, along c's rows, or columns, and along
/// what is summed.
#[derive(Clone, Copy)]
struct Product {
    rows: usize,
    columns: usize,
    inner: usize,
    a: [usize; 2],
    b: [usize; 2],
}

const fn product(
    rows: usize,
    columns: usize,
    inner: usize,
    a: [usize; 2],
    b: [usize; 2],
) -> Product {
    Product {
        rows,
        columns,
        inner,
        a,
        b,
    }
}

/// z = x W1^T and y = act W2^T, weights of outputs x inputs as in PyTorch; and their gradients.
const Z: Product = product(TOKENS, 2 * INNER, HIDDEN, [HIDDEN, 1], [1, HIDDEN]);
const Y: Product = product(TOKENS, HIDDEN, INNER, [INNER, 1], [1, INNER]);
const D_ACT: Product = product(TOKENS, INNER, HIDDEN, [HIDDEN, 1], [INNER, 1]);
const D_W2: Product = product(HIDDEN, INNER, TOKENS, [1, HIDDEN], [INNER, 1]);
const D_X: Product = product(TOKENS, HIDDEN, 2 * INNER, [2 * INNER, 1], [HIDDEN, 1]);
const D_W1: Product = product(2 * INNER, HIDDEN, TOKENS, [1, 2 * INNER], [HIDDEN, 1]);

impl Product {
    /// The same in f64.
    fn of(self, a: &[f64], b: &[f64]) -> Vec<f64> {
        let mut c = Vec::with_capacity(self.rows * self.columns);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let terms = (0..self.inner).map(|k| {
                    a[row * self.a[0] + k * self.a[1]] * b[k * self.b[0] + column * self.b[1]]
                });
                c.push(terms.sum());
            }
        }
        c
    }
}

/// A device, and the example's kernel on it.
struct Machine {
    gpu: Gpu,
    matmul: wgpu::ComputePipeline,
}

impl Machine {
    fn new() -> Result<Self> {
        let gpu = Gpu::new()?;
        let device = gpu.device();
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

    fn upload(&self, data: &[f32]) -> wgpu::Buffer {
        let init = wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(data),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        };
        self.gpu.device().create_buffer_init(&init)
    }

    fn empty(&self, len: usize) -> wgpu::Buffer {
        self.upload(&vec![0.0; len])
    }

    /// Records a product, and gives the buffer that it goes to.
    fn multiply(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        by: Product,
        a: &wgpu::Buffer,
        b: &wgpu::Buffer,
    ) -> wgpu::Buffer {
        let c = self.empty(by.rows * by.columns);
        let words = [
            by.rows, by.columns, by.inner, by.a[0], by.a[1], by.b[0], by.b[1], 0,
        ];
        let shape = self
            .gpu
            .device()
            .create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: None,
                contents: bytemuck::cast_slice(&words.map(|word| word as u32)),
                usage: wgpu::BufferUsages::UNIFORM,
            });
        let buffers = [a, b, &c, &shape];
        let entries = [0, 1, 2, 3].map(|binding| wgpu::BindGroupEntry {
            binding,
            resource: buffers[binding as usize].as_entire_binding(),
        });
        let group = self
            .gpu
            .device()
            .create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &self.matmul.get_bind_group_layout(0),
                entries: &entries,
            });
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.matmul);
        pass.set_bind_group(0, &group, &[]);
        let [x, y] = [by.columns, by.rows].map(|length| length.div_ceil(8) as u32);
        pass.dispatch_workgroups(x, y, 1);
        drop(pass);
        c
    }

    fn download(&self, buffer: &wgpu::Buffer) -> Result<Vec<f32>> {
        let readback = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self
            .gpu
            .device()
            .create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, buffer.size());
        self.gpu.queue().submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| ());
        self.gpu
            .device()
            .poll(wgpu::PollType::wait_indefinitely())?;
        Ok(bytemuck::cast_slice(&readback.get_mapped_range(..)?).to_vec())
    }
}

/// What is given, and the gradient that comes back.
struct Given {
    x: Vec<f32>,
    w1: Vec<f32>,
    b_gate: Vec<f32>,
    b_up: Vec<f32>,
    w2: Vec<f32>,
    dy: Vec<f32>,
}

/// Results, by name.
type Results<T> = Vec<(&'static str, Vec<T>)>;

/// One element of every pair, from the first or the second on.
fn half(buffer: &wgpu::Buffer, second: bool) -> Operand<'_> {
    let rows = Rows { len: 1, stride: 2 };
    Operand::new(buffer, 4 * u64::from(second), (TOKENS * INNER) as u64).rows(rows)
}

fn on_gpu(machine: &Machine, chain: &Chain, given: &Given) -> Result<Results<f32>> {
    let gpu = &machine.gpu;
    let [x, w1, b_gate, b_up, w2, dy] = [
        &given.x,
        &given.w1,
        &given.b_gate,
        &given.b_up,
        &given.w2,
        &given.dy,
    ]
    .map(|data| machine.upload(data));
    let act = machine.empty(TOKENS * INNER);
    let dz = machine.empty(2 * TOKENS * INNER);
    let [db_gate, db_up] = [machine.empty(INNER), machine.empty(INNER)];
    let of_channels = |buffer| Operand::new(buffer, 0, INNER as u64);
    let all = |buffer| Operand::new(buffer, 0, (TOKENS * INNER) as u64);
    let mut encoder = gpu.device().create_command_encoder(&Default::default());

    let z = machine.multiply(&mut encoder, Z, &x, &w1);
    let operands = Operands::new()
        .x(half(&z, false))
        .arg("up", half(&z, true), DType::F32)
        .arg("b_gate", of_channels(&b_gate), DType::F32)
        .arg("b_up", of_channels(&b_up), DType::F32)
        .layout(Layout {
            outer: TOKENS as u64,
            channels: INNER as u64,
            inner: 1,
        });
    let forward = gpu.kernels().plan(chain, Pass::Forward, DType::F32)?;
    let forward = forward.bind(operands.clone().y(all(&act)))?;
    forward.record(&mut encoder.begin_compute_pass(&Default::default()));
    let y = machine.multiply(&mut encoder, Y, &act, &w2);

    let d_act = machine.multiply(&mut encoder, D_ACT, &dy, &w2);
    let d_w2 = machine.multiply(&mut encoder, D_W2, &dy, &act);
    let backward = gpu.kernels().plan(chain, Pass::Backward, DType::F32)?;
    let backward = backward.bind(
        operands
            .dy(all(&d_act))
            .dx(half(&dz, false))
            .grad("up", half(&dz, true), DType::F32)
            .grad("b_gate", of_channels(&db_gate), DType::F32)
            .grad("b_up", of_channels(&db_up), DType::F32),
    )?;
    backward.record(&mut encoder.begin_compute_pass(&Default::default()));
    let dx = machine.multiply(&mut encoder, D_X, &dz, &w1);
    let d_w1 = machine.multiply(&mut encoder, D_W1, &dz, &x);
    gpu.queue().submit([encoder.finish()]);
    println!(
        "activation: {} dispatch forward, {} backward with all gradients (the second adds up partial sums)",
        forward.dispatches(),
        backward.dispatches()
    );
    let named = [
        ("y", &y),
        ("dx", &dx),
        ("dW1", &d_w1),
        ("db_gate", &db_gate),
        ("db_up", &db_up),
        ("dW2", &d_w2),
    ];
    let read = named.map(|(name, buffer)| Ok((name, machine.download(buffer)?)));
    read.into_iter().collect()
}

/// The same in f64, with the library's reference for the activation.
fn on_cpu(chain: &Chain, given: &Given) -> Result<Results<f64>> {
    let wide = |data: &[f32]| data.iter().copied().map(f64::from).collect::<Vec<_>>();
    let narrow = |data: &[f64]| data.iter().map(|v| *v as f32).collect::<Vec<_>>();
    let [x, w1, w2, dy] = [&given.x, &given.w1, &given.w2, &given.dy].map(|data| wide(data));
    let z = narrow(&Z.of(&x, &w1));
    let part = |first: usize| z.iter().copied().skip(first).step_by(2).collect::<Vec<_>>();
    let (gate, up) = (part(0), part(1));
    let values = Values::new()
        .arg("up", &up)
        .arg("b_gate", &given.b_gate)
        .arg("b_up", &given.b_up)
        .layout(Layout {
            outer: TOKENS as u64,
            channels: INNER as u64,
            inner: 1,
        });
    let act = reference::forward_with(chain, &gate, &values)?;
    let d_act = narrow(&D_ACT.of(&dy, &w2));
    let d_gate = reference::backward_with(chain, &gate, &d_act, &values)?;
    let gradient = |name| reference::gradient(chain, &gate, &d_act, &values, name);
    let d_up = gradient("up")?;
    let dz: Vec<f64> = d_gate
        .iter()
        .zip(&d_up)
        .flat_map(|(a, b)| [*a, *b])
        .collect();
    Ok(vec![
        ("y", Y.of(&act, &w2)),
        ("dx", D_X.of(&dz, &w1)),
        ("dW1", D_W1.of(&dz, &x)),
        ("db_gate", gradient("b_gate")?),
        ("db_up", gradient("b_up")?),
        ("dW2", D_W2.of(&dy, &act)),
    ])
}

/// Reproducible numbers between -size and size.
fn numbers(count: usize, seed: u32, size: f32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * size
    };
    (0..count).map(|_| next()).collect()
}

fn main() -> Result<()> {
    let chain: Chain = ACTIVATION.parse()?;
    let machine = Machine::new()?;
    println!(
        "on {}",
        nonlin::describe(&machine.gpu.device().adapter_info())
    );
    println!("{TOKENS} tokens of {HIDDEN}, {INNER} inner: {chain}");
    let given = Given {
        x: numbers(TOKENS * HIDDEN, 1, 3.0),
        w1: numbers(2 * INNER * HIDDEN, 2, 0.6),
        b_gate: numbers(INNER, 3, 1.0),
        b_up: numbers(INNER, 4, 1.0),
        w2: numbers(HIDDEN * INNER, 5, 0.3),
        dy: numbers(TOKENS * HIDDEN, 6, 1.0),
    };
    let (got, want) = (on_gpu(&machine, &chain, &given)?, on_cpu(&chain, &given)?);
    for ((name, got), (_, want)) in got.iter().zip(&want) {
        let largest = want.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let off = got
            .iter()
            .zip(want)
            .map(|(got, want)| (f64::from(*got) - want).abs());
        let worst = off.fold(0.0, f64::max) / largest;
        println!(
            "{name}: {} values, off by at most {worst:.1e} of the largest",
            got.len()
        );
        if worst.is_nan() || worst > 1e-5 {
            return Err(format!("{name} is off by more than rounding explains").into());
        }
    }
    Ok(())
}
