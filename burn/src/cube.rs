//! The passes on burn's CubeCL backend: recipes of nonlin, launched as kernels of burn's own stream.
//!
//! A launch goes where burn's own launches go: it is batched with them, sees what they wrote, and its operands
//! are kept alive by them. So nothing is flushed, submitted or waited for here, and every tensor that is made
//! is from burn's memory.

use crate::call::{ChainCall, LayerCall, Wants, with};
use crate::ops::{List, NonlinOps, Tensors, half_shape};
use crate::shared;
use crate::view::{View, dense, in_order};
use burn::tensor::Shape;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::ir::{AddressType, ElemType, UIntKind, metadata::Info};
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};
use burn_cubecl::cubecl::{CubeKernel, PrecompiledSource};
use burn_cubecl::{CubeBackend, tensor::CubeTensor};
use nonlin::layers::{Images, Layer, Order};
use nonlin::{
    DType, DTypes, Error, LayerOperands, Layout, Memory, Operand, Operands, Pass, Recipe, wgpu,
};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Recipes of so many calls are kept, before all are made anew.
const KEPT: usize = 4096;

/// What a recipe depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    what: Arc<str>,
    pass: Pass,
    wants: Option<Wants>,
    operands: Vec<(DType, View)>,
    /// Samples, channels and what is beside each other; of images, the shape and the order.
    layout: [u64; 4],
    order: Order,
    limits: [u64; 5],
}

/// A recipe, its kernels ready to be launched.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) kernels: Vec<Wgsl>,
    pub(crate) recipe: Recipe,
}

/// A kernel that burn compiles as it is.
#[derive(Clone, Debug)]
pub(crate) struct Wgsl {
    /// Equal texts have equal numbers.
    pub(crate) number: u64,
    text: Arc<str>,
}

impl KernelMetadata for Wgsl {
    fn id(&self) -> KernelId {
        // The kernels look after their own ends, and their loops have one.
        KernelId::new::<Self>()
            .info(self.number)
            .mode(ExecutionMode::Unchecked)
    }

    fn address_type(&self) -> ElemType {
        ElemType::UInt(UIntKind::U32)
    }
}

impl CubeKernel for Wgsl {
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(
            CubeDim::new_single().into(),
            ExecutionMode::Unchecked,
            AddressType::U32,
        );
        KernelDefinition {
            body: Scope::root(settings.clone()),
            settings,
            info: Info::default(),
        }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource {
            source: self.text.to_string(),
            entrypoint_name: "main".to_owned(),
            lang: "wgsl",
        })
    }
}

/// The kernel of this text.
fn kernel(text: &str) -> Wgsl {
    static KERNELS: LazyLock<Mutex<HashMap<Arc<str>, u64>>> = LazyLock::new(Mutex::default);
    let mut kernels = KERNELS.lock().unwrap_or_else(PoisonError::into_inner);
    let next = kernels.len() as u64;
    let text: Arc<str> = text.into();
    let number = *kernels.entry(Arc::clone(&text)).or_insert(next);
    Wgsl { number, text }
}

/// The recipe for a key, made if it is not there yet.
fn prepared(key: Key, make: impl FnOnce(&Key) -> Result<Recipe, Error>) -> Arc<Prepared> {
    static RECIPES: LazyLock<Mutex<HashMap<Key, Arc<Prepared>>>> = LazyLock::new(Mutex::default);
    let lock = || RECIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = lock().get(&key) {
        return Arc::clone(found);
    }
    // Everything was checked before it came to a backend; what is left is larger than the device.
    let recipe = make(&key).unwrap_or_else(|error| panic!("nonlin: {error}"));
    let dispatches = recipe.dispatches().iter();
    let prepared = Arc::new(Prepared {
        kernels: dispatches.map(|dispatch| kernel(dispatch.wgsl())).collect(),
        recipe,
    });
    let mut recipes = lock();
    if recipes.len() >= KEPT {
        recipes.clear();
    }
    recipes.insert(key, Arc::clone(&prepared));
    prepared
}

/// Launches a recipe on the client's stream. Operand `id` of the recipe is the handle of that index.
fn launch(client: &Client, prepared: &Prepared, handles: &[&Handle], random: [u64; 2]) {
    let scratch = match prepared.recipe.scratch_bytes() {
        0 => None,
        bytes => Some(client.empty(bytes as usize)),
    };
    if let Some(shared) = shared::instead(client) {
        return shared.submit(client, prepared, handles, scratch.as_ref(), random);
    }
    let dispatches = prepared.recipe.dispatches().iter();
    for (dispatch, kernel) in dispatches.zip(&prepared.kernels) {
        let mut arguments = KernelArguments::new();
        for binding in dispatch.bindings() {
            let handle = match (binding.id, &scratch) {
                (Some(id), _) => handles[id as usize],
                (None, Some(scratch)) => scratch,
                (None, None) => unreachable!("a recipe that binds scratch says how much"),
            };
            let io = if binding.written {
                BufferIOAttr::ReadWrite
            } else {
                BufferIOAttr::ReadOnly
            };
            let mut part = handle.clone();
            let end = binding.offset + binding.size;
            if binding.offset > 0 {
                part = part.offset_start(binding.offset);
            }
            if end < handle.size_in_used() {
                part = part.offset_end(handle.size_in_used() - end);
            }
            arguments = arguments.with_buffer_io(part.binding(), io);
        }
        let words = dispatch.arguments_with(random[0], random[1]);
        let pairs = words.chunks_exact(2);
        let pairs = pairs.map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32);
        let arguments = arguments.with_info(MetadataBindingInfo::custom(pairs.collect()));
        let [x, y, z] = dispatch.workgroups();
        client.launch(
            Box::new(kernel.clone()),
            CubeCount::Static(x, y, z),
            arguments,
        );
    }
}

/// What of a device decides how work is cut.
fn limits(client: &Client) -> [u64; 5] {
    let (hardware, memory) = (&client.properties().hardware, &client.properties().memory);
    [
        u64::from(hardware.max_cube_count.0),
        u64::from(hardware.max_units_per_cube),
        memory.max_page_size,
        memory.alignment,
        u64::from(hardware.max_bindings),
    ]
}

fn wgpu_limits(limits: [u64; 5]) -> wgpu::Limits {
    let [groups, lanes, binding, alignment, bindings] = limits;
    wgpu::Limits {
        max_compute_workgroups_per_dimension: groups as u32,
        max_compute_invocations_per_workgroup: lanes as u32,
        max_storage_buffer_binding_size: binding,
        min_storage_buffer_offset_alignment: alignment as u32,
        max_storage_buffers_per_shader_stage: bindings as u32,
        ..wgpu::Limits::default()
    }
}

pub(crate) fn dtype(dtype: burn::tensor::DType) -> Option<DType> {
    match dtype {
        burn::tensor::DType::F32 => Some(DType::F32),
        burn::tensor::DType::F16 => Some(DType::F16),
        burn::tensor::DType::BF16 => Some(DType::BF16),
        _ => None,
    }
}

fn dtype_of(tensor: &CubeTensor) -> DType {
    dtype(tensor.dtype).unwrap_or_else(|| panic!("nonlin: elements of {:?}", tensor.dtype))
}

/// A new tensor that lies in memory as another does, if that has no gaps; else in rows without them.
fn empty_like(other: &CubeTensor, order: &[usize]) -> CubeTensor {
    let shape = other.meta.shape();
    let mut strides = vec![0; shape.num_dims()];
    let mut stride = 1;
    for axis in order.iter().rev() {
        strides[*axis] = stride;
        stride *= shape[*axis];
    }
    let bytes = shape.num_elements() * other.dtype.size();
    CubeTensor::new(
        other.client.clone(),
        other.client.empty(bytes),
        burn_cubecl::cubecl::zspace::metadata::Metadata::new(shape.clone(), strides),
        other.device.clone(),
        other.dtype,
    )
}

/// A new tensor of another's element type.
fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    let bytes = shape.num_elements() * like.dtype.size();
    let (client, device) = (like.client.clone(), like.device.clone());
    let handle = client.empty(bytes);
    CubeTensor::new_contiguous(client, device, shape, handle, like.dtype)
}

/// A gated chain's pass: of the packed tensor and y, or of it, dy and its gradient.
fn gated(call: &ChainCall, pass: Pass, tensors: &[&CubeTensor]) -> Arc<Prepared> {
    let shape = tensors[0].meta.shape();
    let len = shape.num_elements() as u64;
    let last = shape.as_slice().last().map_or(0, |last| *last as u64);
    let key = Key {
        what: Arc::clone(&call.key),
        pass,
        wants: None,
        operands: tensors
            .iter()
            .map(|tensor| {
                let len = tensor.meta.shape().num_elements() as u64;
                (dtype_of(tensor), View::Flat(len))
            })
            .collect(),
        layout: [len, last, 0, 0],
        order: Order::Nchw,
        limits: limits(&tensors[0].client),
    };
    prepared(key, |key| {
        let (dtype, half) = (key.operands[0].0, last / 2);
        let memory = |id| Memory::Host {
            id,
            size: len * dtype.size(),
        };
        let rows = len.checked_div(last).unwrap_or(0);
        let halves = |id| {
            [0, half * dtype.size()]
                .map(|at| Operand::rows_in_memory(memory(id), at, rows, half, last))
        };
        let names = call.chain.operands();
        let name = names.first().copied().unwrap_or_default();
        let [x, gate] = halves(0);
        let (other_dtype, other) = key.operands[1];
        let other = operand(1, &other, other_dtype);
        let operands = Operands::new().x(x).arg(name, gate, dtype);
        let mut dtypes = DTypes::from(dtype);
        let operands = match pass {
            Pass::Forward => operands.y(other),
            _ => {
                dtypes.dy = other_dtype;
                let [dx, d_gate] = halves(2);
                operands.dy(other).dx(dx).grad(name, d_gate, dtype)
            }
        };
        Recipe::new(
            &call.chain,
            pass,
            dtypes,
            &operands,
            &wgpu_limits(key.limits),
        )
    })
}

/// The operand of index `id`, which lies as the view tells.
fn operand(id: usize, view: &View, dtype: DType) -> Operand<'static> {
    let memory = Memory::Host {
        id: id as u64,
        size: view.bytes(dtype.size()),
    };
    match *view {
        View::Flat(len) => Operand::in_memory(memory, 0, len),
        View::Rows { rows, len, stride } => Operand::rows_in_memory(memory, 0, rows, len, stride),
    }
}

/// A chain's operands, ready to be bound: x, dy if there is one, then those of arguments.
struct Gathered {
    tensors: Vec<CubeTensor>,
    views: Vec<View>,
    /// x's axes, the outermost in memory first.
    order: Vec<usize>,
    layout: Layout,
}

/// Brings operands as long as x into x's order in memory. x itself is copied only where it has gaps or steps
/// that a kernel of nonlin cannot follow.
fn gather(
    call: &ChainCall,
    x: CubeTensor,
    dy: Option<CubeTensor>,
    operands: Vec<CubeTensor>,
) -> Gathered {
    let shape = x.meta.shape().clone();
    let rank = shape.num_dims();
    let len = shape.num_elements();
    let axis = call.channel_axis;
    let channels = if axis < rank { shape[axis] } else { 1 };
    let samples: usize = shape.as_slice().iter().take(axis).product();
    // Values per sample and channel are in the order of the shape, so x must be.
    let by_sample = operands.iter().any(|operand| {
        let count = operand.meta.shape().num_elements();
        count == samples * channels && count != channels && count != len && count != 1
    });
    let identity: Vec<usize> = (0..rank).collect();
    // And what is drawn for an element depends on its index in the shape, wherever it lies.
    let order = match dense(&x) {
        Some(order) if !by_sample && !call.chain.is_random() => order,
        _ => identity,
    };
    let mut tensors = vec![in_order(x, &order)];
    tensors.extend(dy.map(|dy| in_order(dy, &order)));
    for operand in operands {
        let each = operand.meta.shape() == &shape && len > 1;
        tensors.push(if each {
            in_order(operand, &order)
        } else {
            burn_cubecl::kernel::into_contiguous(operand)
        });
    }
    let views = tensors.iter().map(|tensor| {
        if tensor.meta.shape() == &shape {
            View::of(tensor, &order)
        } else {
            View::Flat(tensor.meta.shape().num_elements() as u64)
        }
    });
    let at = order.iter().position(|known| *known == axis);
    let product = |axes: &[usize]| axes.iter().map(|axis| shape[*axis] as u64).product();
    let layout = match at {
        Some(at) => Layout {
            outer: product(&order[..at]),
            channels: channels as u64,
            inner: product(&order[at + 1..]),
        },
        None => Layout {
            outer: 1,
            channels: 1,
            inner: len as u64,
        },
    };
    Gathered {
        views: views.collect(),
        tensors,
        order,
        layout,
    }
}

impl Gathered {
    fn key(&self, call: &ChainCall, pass: Pass, wants: Option<Wants>) -> Key {
        let all = self.tensors.iter().zip(&self.views);
        let Layout {
            outer,
            channels,
            inner,
        } = self.layout;
        Key {
            what: Arc::clone(&call.key),
            pass,
            wants,
            operands: all
                .map(|(tensor, view)| (dtype_of(tensor), *view))
                .collect(),
            layout: [outer, channels, inner, 0],
            order: Order::Nchw,
            limits: limits(&self.tensors[0].client),
        }
    }
}

impl NonlinOps for CubeBackend {
    fn chain_forward(call: ChainCall, x: CubeTensor, operands: Tensors<Self>) -> CubeTensor {
        let gathered = gather(&call, x, None, operands.list());
        let x = &gathered.tensors[0];
        let y = empty_like(x, &gathered.order);
        let output = gathered.tensors.len();
        let prepared = prepared(gathered.key(&call, Pass::Forward, None), |key| {
            let (x_dtype, x_view) = &key.operands[0];
            let y_view = View::Flat(x_view.len());
            let mut operands = Operands::new()
                .x(operand(0, x_view, *x_dtype))
                .y(operand(output, &y_view, *x_dtype))
                .layout(gathered.layout);
            let names = call.chain.operands();
            for (index, (name, (dtype, view))) in names.iter().zip(&key.operands[1..]).enumerate() {
                operands = operands.arg(name, operand(index + 1, view, *dtype), *dtype);
            }
            let (chain, limits) = (&call.chain, wgpu_limits(key.limits));
            Recipe::new(chain, Pass::Forward, *x_dtype, &operands, &limits)
        });
        let handles = gathered.tensors.iter().chain([&y]);
        let handles: Vec<_> = handles.map(|tensor| &tensor.handle).collect();
        launch(&y.client, &prepared, &handles, call.random);
        y
    }

    fn chain_backward(
        call: ChainCall,
        wants: Wants,
        x: CubeTensor,
        dy: CubeTensor,
        operands: Tensors<Self>,
    ) -> Tensors<Self> {
        let gathered = gather(&call, x, Some(dy), operands.list());
        let inputs = gathered.tensors.len();
        // Gradients of operands as long as x lie as x does, the others as they are.
        let likes = std::iter::once(0).chain(2..inputs).zip(wants.each());
        let outputs: Vec<(usize, CubeTensor)> = likes
            .filter(|(_, wanted)| *wanted)
            .map(|(index, _)| {
                let like = &gathered.tensors[index];
                let rank = like.meta.shape().num_dims();
                let each = like.meta.shape() == gathered.tensors[0].meta.shape();
                let identity: Vec<usize> = (0..rank).collect();
                let order = if each { &gathered.order } else { &identity };
                (index, empty_like(like, order))
            })
            .collect();
        let prepared = prepared(gathered.key(&call, Pass::Backward, Some(wants)), |key| {
            let (x_dtype, x_view) = &key.operands[0];
            let (dy_dtype, dy_view) = &key.operands[1];
            let mut operands = Operands::new()
                .x(operand(0, x_view, *x_dtype))
                .dy(operand(1, dy_view, *dy_dtype))
                .layout(gathered.layout);
            if wants.dx() {
                let view = View::Flat(x_view.len());
                operands = operands.dx(operand(inputs, &view, *x_dtype));
            }
            let names = call.chain.operands();
            for (index, (dtype, view)) in key.operands.iter().enumerate().skip(2) {
                let name = names[index - 2];
                operands = operands.arg(name, operand(index, view, *dtype), *dtype);
                let output = outputs.iter().position(|(known, _)| *known == index);
                if let Some(output) = output {
                    let view = View::Flat(view.len());
                    operands = operands.grad(name, operand(inputs + output, &view, *dtype), *dtype);
                }
            }
            let dtypes = DTypes {
                dy: *dy_dtype,
                ..DTypes::from(*x_dtype)
            };
            let (chain, limits) = (&call.chain, wgpu_limits(key.limits));
            Recipe::new(chain, Pass::Backward, dtypes, &operands, &limits)
        });
        let written = outputs.iter().map(|(_, tensor)| tensor);
        let handles: Vec<_> = gathered
            .tensors
            .iter()
            .chain(written)
            .map(|tensor| &tensor.handle)
            .collect();
        let client = &gathered.tensors[0].client;
        launch(client, &prepared, &handles, call.random);
        Tensors::of(outputs.into_iter().map(|(_, tensor)| tensor))
    }

    fn gated_forward(call: ChainCall, packed: CubeTensor) -> CubeTensor {
        let packed = burn_cubecl::kernel::into_contiguous(packed);
        let y = empty(&packed, half_shape(packed.meta.shape()));
        let prepared = gated(&call, Pass::Forward, &[&packed, &y]);
        launch(
            &y.client,
            &prepared,
            &[&packed.handle, &y.handle],
            call.random,
        );
        y
    }

    fn gated_backward(call: ChainCall, packed: CubeTensor, dy: CubeTensor) -> CubeTensor {
        let packed = burn_cubecl::kernel::into_contiguous(packed);
        let dy = burn_cubecl::kernel::into_contiguous(dy);
        let gradient = empty(&packed, packed.meta.shape().clone());
        let prepared = gated(&call, Pass::Backward, &[&packed, &dy, &gradient]);
        let handles = [&packed.handle, &dy.handle, &gradient.handle];
        launch(&packed.client, &prepared, &handles, call.random);
        gradient
    }

    fn layer_forward(call: LayerCall, x: CubeTensor, parameters: CubeTensor) -> Tensors<Self> {
        let (x, order, images) = images(&call, x);
        let mut parameters = burn_cubecl::kernel::into_contiguous(parameters);
        // Statistics are renewed where they stand; whoever else holds the parameters keeps them as they are.
        if call.trains() && !parameters.can_mut() {
            use burn::backend::ops::FloatTensorOps;
            parameters = CubeBackend::float_mul_scalar(parameters, 1.0.into());
        }
        let y = empty_like(&x, &order);
        let saved = flat(&x, call.saved_len());
        let prepared = layer(&call, &images, Pass::Forward, &x, &x, &parameters);
        let mut handles = vec![&x.handle, &y.handle, &parameters.handle];
        handles.extend(saved.iter().map(|saved| &saved.handle));
        launch(&x.client, &prepared, &handles, [0, 0]);
        let parameters = call.trains().then_some(parameters);
        Tensors::of([Some(y), saved, parameters].into_iter().flatten())
    }

    fn layer_backward(
        call: LayerCall,
        x: CubeTensor,
        parameters: CubeTensor,
        dy: CubeTensor,
        saved: Tensors<Self>,
    ) -> Tensors<Self> {
        let (x, order, images) = images(&call, x);
        let dy = in_order(dy, &order);
        let dy = match View::of(&dy, &order) {
            View::Flat(_) => dy,
            View::Rows { .. } => in_order(burn_cubecl::kernel::into_contiguous(dy), &order),
        };
        let parameters = burn_cubecl::kernel::into_contiguous(parameters);
        let dx = empty_like(&x, &order);
        // Statistics have no gradient: theirs stay zero.
        let gradients = zeros_like(&parameters);
        let saved = saved.list();
        let prepared = layer(&call, &images, Pass::Backward, &x, &dy, &parameters);
        let mut handles = vec![
            &x.handle,
            &dy.handle,
            &dx.handle,
            &parameters.handle,
            &gradients.handle,
        ];
        handles.extend(saved.iter().map(|saved| &saved.handle));
        launch(&x.client, &prepared, &handles, [0, 0]);
        Tensors::of([dx, gradients])
    }
}

/// x without gaps, its axes' order in memory, and the images that it is there.
fn images(call: &LayerCall, x: CubeTensor) -> (CubeTensor, Vec<usize>, Images) {
    let channels_last = vec![0, 2, 3, 1];
    let order = match dense(&x) {
        Some(order) if order == channels_last => order,
        _ => vec![0, 1, 2, 3],
    };
    let x = in_order(x, &order);
    let x = match View::of(&x, &order) {
        View::Flat(_) => x,
        View::Rows { .. } => in_order(burn_cubecl::kernel::into_contiguous(x), &order),
    };
    let images = Images {
        order: if order == channels_last {
            Order::Nhwc
        } else {
            Order::Nchw
        },
        ..call.images
    };
    (x, order, images)
}

fn flat(like: &CubeTensor, len: u64) -> Option<CubeTensor> {
    (len > 0).then(|| {
        CubeTensor::new_contiguous(
            like.client.clone(),
            like.device.clone(),
            Shape::from([len as usize]),
            like.client.empty(len as usize * 4),
            burn::tensor::DType::F32,
        )
    })
}

fn zeros_like(tensor: &CubeTensor) -> CubeTensor {
    use burn::backend::ops::FloatTensorOps;
    CubeBackend::float_zeros(
        tensor.meta.shape().clone(),
        &tensor.device,
        burn::tensor::FloatDType::F32,
    )
}

/// A layer's pass. Operands are in the order x, y, parameters, saved, or x, dy, dx, parameters, gradients,
/// saved.
fn layer(
    call: &LayerCall,
    images: &Images,
    pass: Pass,
    x: &CubeTensor,
    dy: &CubeTensor,
    parameters: &CubeTensor,
) -> Arc<Prepared> {
    let (x_dtype, dy_dtype) = (dtype_of(x), dtype_of(dy));
    let len = x.meta.shape().num_elements() as u64;
    let count = parameters.meta.shape().num_elements() as u64;
    let key = Key {
        what: Arc::clone(&call.key),
        pass,
        wants: None,
        operands: vec![
            (x_dtype, View::Flat(len)),
            (dy_dtype, View::Flat(len)),
            (DType::F32, View::Flat(count)),
        ],
        layout: images.shape(),
        order: images.order,
        limits: limits(&x.client),
    };
    prepared(key, |key| {
        let at = |id, len, dtype: DType| operand(id, &View::Flat(len), dtype);
        let mut operands = LayerOperands::new().x(at(0, len, x_dtype));
        let next = match pass {
            Pass::Forward => {
                operands = operands
                    .y(at(1, len, x_dtype))
                    .parameters(at(2, count, DType::F32));
                3
            }
            _ => {
                operands = operands
                    .dy(at(1, len, dy_dtype))
                    .dx(at(2, len, x_dtype))
                    .parameters(at(3, count, DType::F32))
                    .gradients(at(4, count, DType::F32));
                5
            }
        };
        if call.saved_len() > 0 {
            operands = operands.saved(at(next, call.saved_len(), DType::F32));
        }
        let dtypes = DTypes {
            dy: dy_dtype,
            ..DTypes::from(x_dtype)
        };
        let limits = wgpu_limits(key.limits);
        with!(&*call.layer, layer => Recipe::layer(layer, images, pass, dtypes, &operands, &limits))
    })
}

/// Whether both passes of a chain can be had of such operands (x first): what is wrong with them is said here,
/// before anything runs, and once for each kind of call.
pub(crate) fn check_chain(
    client: &Client,
    call: &ChainCall,
    shape: &Shape,
    operands: Vec<(u64, DType)>,
    wants: Wants,
) -> Result<(), Error> {
    static CHECKED: LazyLock<Mutex<HashSet<Key>>> = LazyLock::new(Mutex::default);
    let product = |lengths: &[usize]| lengths.iter().map(|length| *length as u64).product::<u64>();
    let (before, rest) = shape.as_slice().split_at(call.channel_axis);
    let layout = Layout {
        outer: product(before),
        channels: product(&rest[..1]),
        inner: product(&rest[1..]),
    };
    let view = |(len, dtype): &(u64, DType)| (*dtype, View::Flat(*len));
    let key = Key {
        what: Arc::clone(&call.key),
        pass: Pass::Forward,
        wants: Some(wants),
        operands: operands.iter().map(view).collect(),
        layout: [layout.outer, layout.channels, layout.inner, 0],
        order: Order::Nchw,
        limits: limits(client),
    };
    let lock = || CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    if lock().contains(&key) {
        return Ok(());
    }
    let limits = wgpu_limits(key.limits);
    let (x_dtype, x_view) = &key.operands[0];
    let count = key.operands.len();
    let names = call.chain.operands();
    let args = || names.iter().zip(&key.operands[1..]).enumerate();
    let x = operand(0, x_view, *x_dtype);
    let mut forward = Operands::new()
        .x(x)
        .y(operand(count, x_view, *x_dtype))
        .layout(layout);
    for (index, (name, (dtype, view))) in args() {
        forward = forward.arg(name, operand(index + 1, view, *dtype), *dtype);
    }
    Recipe::new(&call.chain, Pass::Forward, *x_dtype, &forward, &limits)?;
    if wants.each().any(|wanted| wanted) {
        let mut backward = Operands::new()
            .x(x)
            .dy(operand(count, x_view, *x_dtype))
            .layout(layout);
        if wants.dx() {
            backward = backward.dx(operand(count + 1, x_view, *x_dtype));
        }
        for ((index, (name, (dtype, view))), wanted) in args().zip(wants.each().skip(1)) {
            backward = backward.arg(name, operand(index + 1, view, *dtype), *dtype);
            if wanted {
                let id = count + 2 + index;
                backward = backward.grad(name, operand(id, view, *dtype), *dtype);
            }
        }
        Recipe::new(&call.chain, Pass::Backward, *x_dtype, &backward, &limits)?;
    }
    let mut checked = lock();
    if checked.len() >= KEPT {
        checked.clear();
    }
    checked.insert(key);
    Ok(())
}

/// The same of a layer.
pub(crate) fn check_layer(client: &Client, call: &LayerCall, dtype: DType) -> Result<(), Error> {
    let _ = (client, dtype);
    with!(&*call.layer, layer => layer.parameters(&call.images)).map(drop)
}
