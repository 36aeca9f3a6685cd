//! Every mistake with operands is a typed error that names the operand and the numbers, and nothing
//! panics. On wgpu's noop backend: no GPU is needed.

use nonlin::layers::Layer;
use nonlin::wgpu::{self, BufferUsages};
use nonlin::{
    Activation, Bound, Chain, ChainError, Custom, DType, DeviceError, Error, Geometry, Gpu,
    Kernels, LayerOperands, LayerPlan, Layout, Operand, Operands, Pass, Plan, Recipe, Rows, Step,
    Values, reference,
};

fn device() -> (wgpu::Device, wgpu::Queue) {
    wgpu::Device::noop(&wgpu::DeviceDescriptor::default())
}

fn buffer(device: &wgpu::Device, size: u64, usage: BufferUsages) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage,
        mapped_at_creation: false,
    })
}

/// A device, a plan on it, and two buffers of 1,024 bytes.
fn setup(pass: Pass) -> (wgpu::Device, Plan, wgpu::Buffer, wgpu::Buffer) {
    let (device, _) = device();
    let plan = Kernels::new(&device)
        .plan(&Activation::Silu.into(), pass, DType::F32)
        .unwrap();
    let (a, b) = (
        buffer(&device, 1024, BufferUsages::STORAGE),
        buffer(&device, 1024, BufferUsages::STORAGE),
    );
    (device, plan, a, b)
}

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("a mistake must be found").to_string()
}

/// What the library hands out can be sent to, and shared between, threads.
#[test]
fn all_are_send_and_sync() {
    fn is<T: Send + Sync>() {}
    is::<(Chain, Step, Custom, Layer, Error)>();
    is::<(Operand<'_>, Operands<'_>, LayerOperands<'_>, Recipe)>();
    is::<(Kernels, Plan, LayerPlan, Bound, Gpu)>();
}

#[test]
fn chains_are_checked() {
    let (device, _) = device();
    let kernels = Kernels::new(&device);
    let plan = |chain: Chain| kernels.plan(&chain, Pass::Forward, DType::F32);
    assert_eq!(
        plan(Chain::new()).unwrap_err(),
        Error::Chain(ChainError::Empty)
    );
    assert_eq!(
        message(plan(Chain::new().scale(1.0).act(Activation::Swish {
            beta: f32::INFINITY
        }))),
        "step 2: beta of swish must be a finite f32, not \"inf\""
    );
}

#[test]
fn dtypes_have_names() {
    for dtype in DType::ALL {
        assert_eq!(dtype.name().parse(), Ok(*dtype));
    }
    let found = message("f64".parse::<DType>());
    assert_eq!(found, "unknown dtype \"f64\"; known are f32, f16, bf16");
}

#[test]
fn prefixes_are_checked() {
    let chain = Chain::from(Activation::Gelu);
    assert!(chain.functions("my_2nd").is_ok());
    for prefix in ["", "2nd", "_x", "a-b", "é"] {
        assert_eq!(
            message(chain.functions(prefix)),
            format!(
                "\"{prefix}\" cannot begin names in WGSL; letters, digits and underscores can, a letter first"
            )
        );
    }
}

#[test]
fn operands_are_those_of_the_pass() {
    let (_, forward, a, b) = setup(Pass::Forward);
    let (x, y) = (Operand::new(&a, 0, 4), Operand::new(&b, 0, 4));
    assert_eq!(
        message(forward.bind(Operands::new().x(x))),
        "the forward pass needs the operand y"
    );
    assert_eq!(
        message(forward.bind(Operands::new().x(x).y(y).dy(y))),
        "the forward pass has no operand dy"
    );
    let (_, backward, ..) = setup(Pass::Backward);
    assert_eq!(
        message(backward.bind(Operands::new().x(x).dx(y))),
        "the backward pass needs the operand dy"
    );
}

#[test]
fn lengths_must_agree() {
    let (_, plan, a, b) = setup(Pass::Forward);
    let operands = Operands::new()
        .x(Operand::new(&a, 0, 4))
        .y(Operand::new(&b, 0, 5));
    assert_eq!(
        message(plan.bind(operands)),
        "x has 4 elements but y has 5; they must agree"
    );
    let (device, queue) = device();
    let gpu = Gpu::from_device(device, queue);
    let chain = Chain::from(Activation::Relu);
    assert_eq!(
        message(gpu.backward(&chain, &[1.0, 2.0], &[1.0])),
        "x has 2 elements but dy has 1; they must agree"
    );
    assert_eq!(
        message(nonlin::reference::backward(&chain, &[1.0, 2.0], &[1.0])),
        "x has 2 elements but dy has 1; they must agree"
    );
    assert_eq!(
        message(nonlin::check::forward(&chain, &[1.0], &[0f32; 0])),
        "x has 1 elements but y has 0; they must agree"
    );
}

#[test]
fn usage_is_checked_for_zero_elements_too() {
    let (device, plan, a, _) = setup(Pass::Forward);
    let copy_only = buffer(&device, 64, BufferUsages::COPY_DST);
    let operands = Operands::new()
        .x(Operand::new(&a, 0, 0))
        .y(Operand::new(&copy_only, 0, 0));
    let found = message(plan.bind(operands));
    assert!(
        found.starts_with("the buffer of y lacks usage BufferUsages(STORAGE)"),
        "{found}"
    );
}

#[test]
fn places_are_checked() {
    let (_, plan, a, b) = setup(Pass::Forward);
    let y = Operand::new(&b, 0, 4);
    let at =
        |offset, len| message(plan.bind(Operands::new().x(Operand::new(&a, offset, len)).y(y)));
    assert_eq!(at(6, 4), "x begins at byte 6, which is not a multiple of 4");
    assert_eq!(
        at(1012, 4),
        "x takes bytes 1012 to 1028 of a buffer, or a slice of one, that ends at byte 1024"
    );
    let wrapping = at(4, u64::MAX / 2);
    assert!(
        wrapping.starts_with("x takes bytes 4 to 18446744073709551615 of a buffer"),
        "{wrapping}"
    );
    let y = Operand::new(&b, 4096, 0);
    let operands = Operands::new().x(Operand::new(&a, 0, 0)).y(y);
    assert_eq!(
        message(plan.bind(operands)),
        "y takes bytes 4096 to 4096 of a buffer, or a slice of one, that ends at byte 1024"
    );
}

#[test]
fn overlap_is_found_and_neighbours_are_not() {
    let (_, plan, a, _) = setup(Pass::Forward);
    let bind = |x: u64, y: u64| {
        plan.bind(
            Operands::new()
                .x(Operand::new(&a, x, 10))
                .y(Operand::new(&a, y, 10)),
        )
    };
    assert_eq!(
        message(bind(0, 36)),
        "x (bytes 0 to 40) and y (bytes 36 to 76) overlap in one buffer"
    );
    assert!(bind(0, 40).is_ok() && bind(40, 0).is_ok());

    // Operands that are only read may overlap each other.
    let (_, plan, a, b) = setup(Pass::Backward);
    let x = Operand::new(&a, 0, 10);
    assert!(
        plan.bind(Operands::new().x(x).dy(x).dx(Operand::new(&b, 0, 10)))
            .is_ok()
    );
    let operands = Operands::new()
        .x(x)
        .dy(Operand::new(&b, 0, 10))
        .dx(Operand::new(&b, 8, 10));
    assert_eq!(
        message(plan.bind(operands)),
        "dy (bytes 0 to 40) and dx (bytes 8 to 48) overlap in one buffer"
    );
}

#[test]
fn zero_elements_record_nothing() {
    let (device, queue) = device();
    let plan = Kernels::new(&device)
        .plan(&Activation::Silu.into(), Pass::Forward, DType::F32)
        .unwrap();
    let (a, b) = (
        buffer(&device, 64, BufferUsages::STORAGE),
        buffer(&device, 64, BufferUsages::STORAGE),
    );
    let bound = plan
        .bind(
            Operands::new()
                .x(Operand::new(&a, 64, 0))
                .y(Operand::new(&b, 0, 0)),
        )
        .unwrap();
    assert_eq!(
        (bound.len(), bound.is_empty(), bound.dispatches()),
        (0, true, 0)
    );
    let mut encoder = device.create_command_encoder(&Default::default());
    bound.record(&mut encoder.begin_compute_pass(&Default::default()));
    queue.submit([encoder.finish()]);
}

#[test]
fn a_chain_with_too_many_parameters_is_too_large() {
    let (device, _) = device();
    let limit = device.limits().max_uniform_buffer_binding_size;
    let chain = (0..limit / 4).fold(Chain::new(), |chain, _| chain.scale(1.0));
    let kernels = Kernels::new(&device);
    let Ok(plan) = kernels.plan(&chain, Pass::Forward, DType::F32) else {
        return;
    };
    let (a, b) = (
        buffer(&device, 16, BufferUsages::STORAGE),
        buffer(&device, 16, BufferUsages::STORAGE),
    );
    let found = plan.bind(
        Operands::new()
            .x(Operand::new(&a, 0, 4))
            .y(Operand::new(&b, 0, 4)),
    );
    assert_eq!(
        message(found),
        format!(
            "the chain's parameters takes {} bytes; this device allows {limit}",
            limit + 16
        )
    );
}

#[test]
fn a_buffer_of_another_device_is_an_error() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::NOOP,
        backend_options: wgpu::BackendOptions {
            noop: wgpu::NoopBackendOptions::enabled(),
            ..Default::default()
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let open = || pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let ((device, _), (other, _)) = (open(), open());
    let plan = Kernels::new(&device)
        .plan(&Activation::Silu.into(), Pass::Forward, DType::F32)
        .unwrap();
    let (a, b) = (
        buffer(&device, 64, BufferUsages::STORAGE),
        buffer(&other, 64, BufferUsages::STORAGE),
    );
    let found = plan.bind(
        Operands::new()
            .x(Operand::new(&a, 0, 4))
            .y(Operand::new(&b, 0, 4)),
    );
    assert!(
        matches!(
            &found,
            Err(Error::Device(DeviceError::Refused {
                doing: "binding operands",
                ..
            }))
        ),
        "{found:?}"
    );
}

#[test]
fn shapes_are_checked() {
    let (device, _) = device();
    let shape = |workgroup, words| Kernels::with_geometry(&device, Geometry { workgroup, words });
    assert!(shape(64, 4).is_ok());
    assert_eq!(
        message(shape(0, 1)),
        "a workgroup of 0 with 1 words per invocation cannot run: this device allows workgroups of 1 to 256"
    );
    assert!(matches!(
        shape(257, 1),
        Err(Error::Device(DeviceError::BadGeometry {
            workgroup: 257,
            ..
        }))
    ));
    assert!(matches!(
        shape(64, 0),
        Err(Error::Device(DeviceError::BadGeometry { words: 0, .. }))
    ));
    assert!(matches!(
        shape(64, 17),
        Err(Error::Device(DeviceError::BadGeometry { words: 17, .. }))
    ));
}

#[test]
fn no_adapter_says_what_is_there() {
    let found = message(Gpu::with_adapter("no such adapter"));
    assert!(
        found.starts_with("no adapter whose description contains \"no such adapter\"; found: "),
        "{found}"
    );
}

/// Another value compiles nothing, nor does another plan; other structure does, once each, whoever asks.
#[test]
fn each_structure_compiles_once() {
    let (device, _) = device();
    let kernels = Kernels::new(&device);
    let plan = |text: &str| {
        kernels
            .plan(&text.parse().unwrap(), Pass::Forward, DType::F32)
            .unwrap();
    };
    plan("scale(1) | leaky_relu(0.5)");
    assert_eq!(kernels.compiled(), 1);
    plan("scale(2) | leaky_relu(0.25)");
    assert_eq!(kernels.compiled(), 1);
    plan("leaky_relu(0.25) | scale(2)");
    assert_eq!(kernels.compiled(), 2);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| plan("mish | gelu | mish"));
        }
    });
    assert_eq!(kernels.compiled(), 3);
}

/// A device without compute shaders is refused by an error, not by a panic.
#[test]
fn a_device_that_cannot_compute_is_an_error() {
    let (device, _) = wgpu::Device::noop(&wgpu::DeviceDescriptor {
        required_limits: wgpu::Limits::downlevel_webgl2_defaults(),
        ..Default::default()
    });
    let found = Kernels::new(&device).plan(&Activation::Relu.into(), Pass::Forward, DType::F32);
    assert_eq!(
        message(found),
        "the kernel needs 2 operands; this device allows 0 in one dispatch"
    );
}

/// Everything that can be wrong with operands of arguments, gradients and rows.
#[test]
fn arguments_are_checked() {
    let (device, _) = device();
    let kernels = Kernels::new(&device);
    let plan = |text: &str, pass, dtype| kernels.plan(&text.parse().unwrap(), pass, dtype).unwrap();
    let buffers = [0; 5].map(|_| buffer(&device, 4096, BufferUsages::STORAGE));
    let at = |index: usize, len| Operand::new(&buffers[index], 0, len);
    let layout = Layout {
        outer: 2,
        channels: 3,
        inner: 4,
    };
    let operands = || {
        Operands::new()
            .x(at(0, 24))
            .dy(at(1, 24))
            .dx(at(2, 24))
            .layout(layout)
    };
    let prelu = plan("prelu(weight=@w)", Pass::Backward, DType::F32);
    let f32 = DType::F32;
    assert!(prelu.bind(operands().arg("w", at(3, 3), f32)).is_ok());
    for (operands, wanted) in [
        (operands(), "the backward pass needs the operand @w"),
        (
            operands().arg("w", at(3, 5), f32),
            "w has 5 elements; for x of 2 x 3 x 4 it must have 1, 3, 6, 24",
        ),
        (
            operands().arg("w", at(3, 3), f32).arg("v", at(3, 3), f32),
            "the backward pass has no operand v",
        ),
        (
            operands().arg("w", at(3, 3), f32).grad("v", at(4, 3), f32),
            "the backward pass has no operand d_v",
        ),
        (
            operands().arg("w", at(3, 3), f32).arg("w", at(4, 3), f32),
            "the operand w is given twice",
        ),
        (
            operands()
                .arg("w", at(3, 3), f32)
                .grad("w", at(4, 3), f32)
                .grad("w", at(4, 3), f32),
            "the operand d_w is given twice",
        ),
        (
            operands().arg("w", at(3, 3), f32).grad("w", at(4, 1), f32),
            "w has 3 elements but d_w has 1; they must agree",
        ),
        (
            operands().arg("w", at(3, 3), f32).grad("w", at(0, 3), f32),
            "x (bytes 0 to 96) and d_w (bytes 0 to 12) overlap in one buffer",
        ),
        (
            operands().arg("w", at(3, 3), f32).layout(Layout {
                outer: 2,
                channels: 3,
                inner: 5,
            }),
            "x has 24 elements; for x of 2 x 3 x 5 it must have 30",
        ),
        (
            operands().arg("w", Operand::new(&buffers[3], 4092, 3), f32),
            "w takes bytes 4092 to 4104 of a buffer, or a slice of one, that ends at byte 4096",
        ),
    ] {
        assert_eq!(message(prelu.bind(operands)), wanted);
    }
    let softplus = plan("softplus(beta=@b)", Pass::Backward, DType::F32);
    let asked = operands().arg("b", at(3, 1), f32).grad("b", at(4, 1), f32);
    assert_eq!(
        message(softplus.bind(asked)),
        "the gradient of @b cannot be had: its function has no derivative with respect to it here"
    );
    let gate = plan("silu | gate(@g)", Pass::Forward, DType::F16);
    let half = |index: usize, offset, h| {
        Operand::new(&buffers[index], offset, 4 * h).rows(Rows {
            len: h,
            stride: 2 * h,
        })
    };
    let bind = |h: u64| {
        let operands = Operands::new().x(half(0, 0, h)).y(at(1, 4 * h));
        gate.bind(operands.arg("g", half(0, 2 * h, h), DType::F16))
    };
    assert!(bind(6).is_ok());
    assert!(bind(5).is_ok());
    let short = Operands::new()
        .x(half(0, 0, 6))
        .y(at(1, 24))
        .arg("g", at(2, 6), DType::F16);
    assert_eq!(
        message(gate.bind(short)),
        "g has 6 elements; for x of 1 x 1 x 24 it must have 1, 24"
    );
}

#[test]
fn chains_with_arguments_are_checked() {
    for (text, wanted) in [
        (
            "scale(@s) | bias(@s)",
            "@s stands in two places; each argument needs an operand of its own",
        ),
        (
            "gate(2)",
            "step 1: tensor of gate must be an operand, such as @t, not 2",
        ),
        (
            "dropout(1.5)",
            "step 1: p of dropout must be a number from 0 to 1, not 1.5",
        ),
        (
            "relu | dropout(@p)",
            "step 2: p of dropout must be a number, not @p",
        ),
        (
            "scale(@dx)",
            "step 1: factor of scale must be a name of letters, digits and underscores, a letter first, \
             other than x, y, dy and dx, not @dx",
        ),
    ] {
        assert_eq!(message(text.parse::<Chain>()), wanted);
    }
    for text in [
        "silu",
        "mish | scale(2)",
        "tanh | relu",
        "scale(@s) | relu",
        "tanh | scale(0)",
    ] {
        let chain: Chain = text.parse().unwrap();
        let found = message(chain.supports(Pass::BackwardFromY));
        assert!(
            found.contains("cannot work backward from its value"),
            "{found}"
        );
    }
    for text in [
        "tanh",
        "scale(3) | sigmoid | scale(2)",
        "leaky_relu(0.1)",
        "bias(1) | relu",
    ] {
        let chain: Chain = text.parse().unwrap();
        assert!(chain.supports(Pass::BackwardFromY).is_ok(), "{text}");
    }
}

/// Values of operands, and steps in no chain, are told as they are.
#[test]
fn messages_say_what_was_asked_for() {
    let chain: Chain = "prelu(weight=@w)".parse().unwrap();
    let w = || Values::new().arg("w", &[0.5f32]);
    for (found, wanted) in [
        (
            message(reference::forward(&chain, &[1.0f32])),
            "the forward pass needs the operand @w",
        ),
        (
            message(reference::backward(&chain, &[1.0f32], &[1.0f32])),
            "the backward pass needs the operand @w",
        ),
        (
            message(reference::forward_with(
                &chain,
                &[1.0f32],
                &w().arg("w", &[0.5f32]),
            )),
            "the operand w is given twice",
        ),
        (
            message(reference::forward_with(
                &chain,
                &[1.0f32],
                &w().arg("v", &[0.5f32]),
            )),
            "the forward pass has no operand v",
        ),
        (
            message(Step::from(Activation::Swish { beta: 1.0 }).with("gamma", 2.0)),
            "swish has no parameter \"gamma\"; it takes beta",
        ),
        (
            message("relu | swish(gamma=2)".parse::<Chain>()),
            "step 2: swish has no parameter \"gamma\"; it takes beta",
        ),
    ] {
        assert_eq!(found, wanted);
    }
}
