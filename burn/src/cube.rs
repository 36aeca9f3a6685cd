//! The passes on burn's CubeCL backend: recipes of nonlin, launched as kernels of burn's own stream.
//!
//! A launch goes where burn's own launches go: it is batched with them, sees what they wrote, and its operands
//! are kept alive by them. So nothing is flushed, submitted or waited for here, and every tensor that is made
//! is from burn's memory.

use crate::call::{ChainCall, LayerCall, Wants, Whose};
use crate::ops::{List, NonlinOps, Tensors, half_shape};
use crate::packing::{joined, parted};
use crate::recipes::{Call, DeviceLimits, Key, Prepared, gradients, prepare};
use crate::shared;
use crate::view::{View, dense, in_order};
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType as BurnDType, FloatDType, Shape};
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::prelude::{BufferIOAttr, CubeCount};
use burn_cubecl::cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};
use burn_cubecl::cubecl::zspace::metadata::Metadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};
use nonlin::layers::Order;
use nonlin::{DType, Error, Pass};
use std::sync::Arc;

/// nonlin's name for an element type of burn's.
pub(crate) fn dtype(dtype: BurnDType) -> Option<DType> {
    match dtype {
        BurnDType::F32 => Some(DType::F32),
        BurnDType::F16 => Some(DType::F16),
        BurnDType::BF16 => Some(DType::BF16),
        _ => None,
    }
}

fn dtype_of(tensor: &CubeTensor) -> DType {
    dtype(tensor.dtype).unwrap_or_else(|| panic!("nonlin: elements of {:?}", tensor.dtype))
}

/// A queued operation has nobody to tell: what can be wrong was found before it was queued, but for tensors that
/// lie so that they are larger than the device can bind.
fn prepared(call: Call<'_>, key: Key) -> Arc<Prepared> {
    prepare(call, key).unwrap_or_else(|error| panic!("nonlin: {error}"))
}

/// Launches a recipe on the client's stream. Operand `id` of the recipe is the handle of that index.
fn launch(client: &Client, prepared: &Prepared, tensors: &[&CubeTensor], random: [u64; 2]) {
    let handles: Vec<&Handle> = tensors.iter().map(|tensor| &tensor.handle).collect();
    let scratch = match prepared.recipe.scratch_bytes() {
        0 => None,
        bytes => Some(client.empty(bytes as usize)),
    };
    if let Some(shared) = shared::instead(client) {
        return shared.submit(client, prepared, &handles, scratch.as_ref(), random);
    }
    let dispatches = prepared.recipe.dispatches().iter();
    for (dispatch, kernel) in dispatches.zip(&prepared.kernels) {
        let mut arguments = KernelArguments::new();
        for binding in dispatch.bindings() {
            let handle = match (binding.id(), &scratch) {
                (Some(id), _) => handles[id as usize],
                (None, Some(scratch)) => scratch,
                (None, None) => unreachable!("a recipe that binds scratch says how much"),
            };
            let io = if binding.is_written() {
                BufferIOAttr::ReadWrite
            } else {
                BufferIOAttr::ReadOnly
            };
            let mut part = handle.clone();
            let end = binding.offset() + binding.size();
            if binding.offset() > 0 {
                part = part.offset_start(binding.offset());
            }
            if end < handle.size_in_used() {
                part = part.offset_end(handle.size_in_used() - end);
            }
            arguments = arguments.with_buffer_io(part.binding(), io);
        }
        // burn binds these behind the operands, as a uniform that equal numbers share.
        let words = dispatch.arguments_with(random[0], random[1]);
        let pairs = words.chunks_exact(2);
        let pairs = pairs.map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32);
        let arguments = arguments.with_info(MetadataBindingInfo::custom(pairs.collect()));
        let [x, y, z] = dispatch.workgroups();
        let count = CubeCount::Static(x, y, z);
        client.launch(Box::new(kernel.clone()), count, arguments);
    }
}

/// A new tensor of another's shape and element type, its axes in this order in memory.
fn empty_like(other: &CubeTensor, order: &[usize]) -> CubeTensor {
    let shape = other.meta.shape();
    let mut strides = vec![0; shape.num_dims()];
    let mut stride = 1;
    for axis in order.iter().rev() {
        strides[*axis] = stride;
        stride *= shape[*axis];
    }
    CubeTensor::new(
        other.client.clone(),
        other.client.empty(stride * other.dtype.size()),
        Metadata::new(shape.clone(), strides),
        other.device.clone(),
        other.dtype,
    )
}

/// A new tensor of this shape.
fn empty(like: &CubeTensor, shape: Shape, dtype: BurnDType) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    let handle = client.empty(shape.num_elements() * dtype.size());
    CubeTensor::new_contiguous(client, device, shape, handle, dtype)
}

/// Whether a tensor's memory may be written: all of it is the tensor's, which nobody else holds, not by a view either, since
/// a view holds the memory too. What is queued already reads it before.
fn is_free(tensor: &CubeTensor, view: &View) -> bool {
    let handle = &tensor.handle;
    let is_whole = handle.offset_start.unwrap_or(0) == 0 && handle.offset_end.unwrap_or(0) == 0;
    is_whole && handle.can_mut() && matches!(view, View::Flat(len) if *len > 0)
}

/// The axes of a tensor in the order of its shape.
fn identity(tensor: &CubeTensor) -> Vec<usize> {
    (0..tensor.meta.shape().num_dims()).collect()
}

/// A chain's operands, ready to be bound: x, the gradients that the pass reads, then those of arguments.
struct Gathered {
    tensors: Vec<CubeTensor>,
    /// x's axes, the outermost in memory first.
    order: Vec<usize>,
    key: Key,
}

/// Brings operands as long as x into x's order in memory. x itself is copied only where it has gaps or steps
/// that a kernel of nonlin cannot follow.
fn gather(
    call: &ChainCall,
    pass: Pass,
    x: CubeTensor,
    gradients: Vec<CubeTensor>,
    operands: Vec<CubeTensor>,
) -> Gathered {
    let shape = x.meta.shape().clone();
    let len = shape.num_elements();
    let axis = call.channel_axis;
    let channels = shape[axis];
    let samples: usize = shape.as_slice().iter().take(axis).product();
    // Values per sample and channel are in the order of the shape, so x must be; and so are values for each element
    // in a shape with other axes of length 1.
    let whose = operands.iter().map(|t| call.whose(&shape, t.meta.shape()));
    let whose: Vec<Whose> = whose.collect();
    let by_sample = operands.iter().zip(&whose).any(|(operand, whose)| {
        let own = operand.meta.shape();
        let count = own.num_elements();
        let by_sample = count == samples * channels && count != channels;
        let is_broadcast = *whose != Whose::Counted;
        count != 1 && own != &shape && (by_sample || count == len || is_broadcast)
    });
    // And what is drawn for an element depends on its index in the shape, wherever it lies; so does what a row masks.
    let order = match dense(&x) {
        Some(order) if !by_sample && !call.chain.is_random() && !call.is_causal() => order,
        _ => identity(&x),
    };
    let mut key = Key::new(Call::Chain(call), pass, &x.client);
    let is_each = |tensor: &CubeTensor| tensor.meta.shape() == &shape;
    let operands = operands.into_iter().map(|operand| {
        if is_each(&operand) {
            in_order(operand, &order)
        } else {
            into_contiguous(operand)
        }
    });
    let inputs = std::iter::once(x).chain(gradients);
    let inputs = inputs.map(|tensor| in_order(tensor, &order));
    let tensors: Vec<_> = inputs.chain(operands).collect();
    let view = |tensor: &CubeTensor| match is_each(tensor) {
        true => View::of(tensor, &order),
        false => View::Flat(tensor.meta.shape().num_elements() as u64),
    };
    key.operands = tensors.iter().map(|t| (dtype_of(t), view(t))).collect();
    let passed = std::iter::repeat_n(Whose::Counted, tensors.len() - whose.len());
    key.whose = passed.chain(whose).collect();
    let at = order.iter().position(|known| *known == axis).unwrap_or(0);
    let product = |axes: &[usize]| axes.iter().map(|axis| shape[*axis] as u64).product();
    let (outer, inner) = (product(&order[..at]), product(&order[at + 1..]));
    key.layout = [outer, channels as u64, inner, call.queries(&shape)];
    Gathered {
        tensors,
        order,
        key,
    }
}

/// x without gaps, its axes' order in memory, and the key of a layer's pass.
fn images(call: &LayerCall, pass: Pass, x: CubeTensor) -> (CubeTensor, Vec<usize>, Key) {
    let mut key = Key::new(Call::Layer(call), pass, &x.client);
    let channels_last = vec![0, 2, 3, 1];
    let order = match dense(&x) {
        Some(order) if order == channels_last => {
            key.order = Order::Nhwc;
            order
        }
        _ => identity(&x),
    };
    let x = without_gaps(x, &order);
    key.layout = call.images.shape();
    (x, order, key)
}

/// The tensor with its axes in this order in memory, and no gaps.
fn without_gaps(tensor: CubeTensor, order: &[usize]) -> CubeTensor {
    let tensor = in_order(tensor, order);
    match View::of(&tensor, order) {
        View::Flat(_) => tensor,
        View::Rows { .. } => in_order(into_contiguous(tensor), order),
    }
}

/// What a layer's key says of its operands: x, y or dy, and the parameters.
fn of_layer(x: &CubeTensor, other: &CubeTensor, parameters: &CubeTensor) -> Vec<(DType, View)> {
    let flat = |tensor: &CubeTensor| {
        let len = tensor.meta.shape().num_elements() as u64;
        (dtype_of(tensor), View::Flat(len))
    };
    [x, other, parameters].map(flat).to_vec()
}

/// A gated chain's key.
fn gated(call: &ChainCall, pass: Pass, tensors: &[&CubeTensor]) -> Key {
    let mut key = Key::new(Call::Gated(call), pass, &tensors[0].client);
    let len = |tensor: &CubeTensor| tensor.meta.shape().num_elements() as u64;
    let each = tensors.iter();
    key.operands = each
        .map(|tensor| (dtype_of(tensor), View::Flat(len(tensor))))
        .collect();
    let last = tensors[0].meta.shape().as_slice().last();
    key.layout = [len(tensors[0]), last.map_or(0, |last| *last as u64), 0, 0];
    key
}

impl NonlinOps for CubeBackend {
    fn chain_forward(call: ChainCall, x: CubeTensor, operands: Tensors<Self>) -> CubeTensor {
        let Gathered {
            tensors,
            order,
            mut key,
        } = gather(&call, Pass::Forward, x, Vec::new(), operands.list());
        key.in_place = is_free(&tensors[0], &key.operands[0].1);
        let y = match key.in_place {
            true => tensors[0].clone(),
            false => empty_like(&tensors[0], &order),
        };
        let written = (!key.in_place).then_some(&y);
        let prepared = prepared(Call::Chain(&call), key);
        let all: Vec<_> = tensors.iter().chain(written).collect();
        launch(&y.client, &prepared, &all, call.random);
        y
    }

    fn chain_backward(
        call: ChainCall,
        wants: Wants,
        x: CubeTensor,
        dy: CubeTensor,
        operands: Tensors<Self>,
    ) -> Tensors<Self> {
        let Gathered {
            tensors,
            order,
            mut key,
        } = gather(&call, call.backward(), x, vec![dy], operands.list());
        key.wants = wants;
        key.in_place = wants.each().next() == Some(true)
            && tensors[1].dtype == tensors[0].dtype
            && is_free(&tensors[1], &key.operands[1].1);
        // Sums of nothing are zero, and no kernel writes them.
        let is_empty = tensors[0].meta.shape().num_elements() == 0;
        let zeros = |like: &CubeTensor| {
            let zeros =
                CubeBackend::float_zeros(like.meta.shape().clone(), &like.device, FloatDType::F32);
            CubeBackend::float_cast(zeros, like.dtype.into())
        };
        // Gradients of operands as long as x lie as x does, the others as they are.
        let gradient = |like: &CubeTensor| match like.meta.shape() == tensors[0].meta.shape() {
            true => empty_like(like, &order),
            false => empty_like(like, &identity(like)),
        };
        let likes = tensors[..1].iter().chain(&tensors[2..]).zip(wants.each());
        let wanted = likes.filter(|(_, wanted)| *wanted);
        let in_place = key.in_place.then(|| tensors[1].clone());
        let placed = usize::from(key.in_place);
        let others = wanted.skip(placed).map(|(like, _)| match is_empty {
            true => zeros(like),
            false => gradient(like),
        });
        let outputs: Vec<_> = in_place.into_iter().chain(others).collect();
        let prepared = prepared(Call::Chain(&call), key);
        let all: Vec<_> = tensors.iter().chain(&outputs[placed..]).collect();
        launch(&tensors[0].client, &prepared, &all, call.random);
        Tensors::of(outputs)
    }

    fn chain_double_backward(
        call: ChainCall,
        x: CubeTensor,
        dy: CubeTensor,
        ddx: CubeTensor,
        operands: Tensors<Self>,
    ) -> Tensors<Self> {
        let pass = Pass::DoubleBackward;
        let Gathered {
            tensors,
            order,
            key,
        } = gather(&call, pass, x, vec![dy, ddx], operands.list());
        let outputs = [&tensors[1], &tensors[0]].map(|like| empty_like(like, &order));
        let prepared = prepared(Call::Chain(&call), key);
        let all: Vec<_> = tensors.iter().chain(&outputs).collect();
        launch(&tensors[0].client, &prepared, &all, call.random);
        Tensors::of(outputs)
    }

    fn gated_forward(call: ChainCall, packed: CubeTensor) -> CubeTensor {
        let packed = into_contiguous(packed);
        let y = empty(&packed, half_shape(packed.meta.shape()), packed.dtype);
        let key = gated(&call, Pass::Forward, &[&packed, &y]);
        let prepared = prepared(Call::Gated(&call), key);
        launch(&y.client, &prepared, &[&packed, &y], call.random);
        y
    }

    fn gated_backward(call: ChainCall, packed: CubeTensor, dy: CubeTensor) -> CubeTensor {
        let (packed, dy) = (into_contiguous(packed), into_contiguous(dy));
        let gradient = empty(&packed, packed.meta.shape().clone(), packed.dtype);
        let key = gated(&call, Pass::Backward, &[&packed, &dy]);
        let prepared = prepared(Call::Gated(&call), key);
        let all = [&packed, &dy, &gradient];
        launch(&packed.client, &prepared, &all, call.random);
        gradient
    }

    fn layer_forward(call: LayerCall, x: CubeTensor, parameters: Tensors<Self>) -> Tensors<Self> {
        let (x, order, mut key) = images(&call, Pass::Forward, x);
        let given = parameters.list();
        // Statistics are renewed where they stand, so what stands there is nobody else's.
        let parameters = match call.trains() {
            true => joined(call.forms(), &given),
            false => call.packing.read(call.forms(), &given, false),
        };
        let y = empty_like(&x, &order);
        let saved = Shape::from([call.saved_len() as usize]);
        let saved = (call.saved_len() > 0).then(|| empty(&x, saved, BurnDType::F32));
        key.operands = of_layer(&x, &y, &parameters);
        let prepared = prepared(Call::Layer(&call), key);
        let all: Vec<_> = [&x, &y, &parameters].into_iter().chain(&saved).collect();
        launch(&x.client, &prepared, &all, [0, 0]);
        let renewed = call.trains().then_some(parameters);
        if let Some(renewed) = &renewed {
            call.packing.keep_renewed(given, renewed.clone());
        }
        Tensors::of([Some(y), saved, renewed].into_iter().flatten())
    }

    fn layer_backward(
        call: LayerCall,
        x: CubeTensor,
        dy: CubeTensor,
        parameters: Tensors<Self>,
        saved: Tensors<Self>,
    ) -> Tensors<Self> {
        let (x, order, mut key) = images(&call, Pass::Backward, x);
        let dy = without_gaps(dy, &order);
        let given = parameters.list();
        // While a norm trains, backward has its statistics from what was saved.
        let parameters = call.packing.read(call.forms(), &given, call.trains());
        let dx = empty_like(&x, &order);
        // Statistics have no gradient, and what no kernel writes stays zero.
        let shape = parameters.meta.shape().clone();
        let gradients = CubeBackend::float_zeros(shape, &parameters.device, FloatDType::F32);
        key.operands = of_layer(&x, &dy, &parameters);
        let prepared = prepared(Call::Layer(&call), key);
        let saved = saved.list();
        let operands = [&x, &dy, &dx, &parameters, &gradients].into_iter();
        let all: Vec<_> = operands.chain(&saved).collect();
        launch(&x.client, &prepared, &all, [0, 0]);
        let parts = parted(call.forms(), &given, &gradients);
        Tensors::of(std::iter::once(dx).chain(parts))
    }
}

/// An operand that is not there yet.
#[derive(Clone, Copy)]
pub(crate) struct Described {
    pub(crate) len: u64,
    pub(crate) dtype: DType,
    pub(crate) whose: Whose,
}

impl Described {
    pub(crate) fn counted(len: u64, dtype: DType) -> Self {
        let whose = Whose::Counted;
        Described { len, dtype, whose }
    }
}

/// Whether these passes of a chain can be had of such operands, x first: what is wrong is told here, before anything is
/// queued. Gradients that they read have x's element type.
pub(crate) fn check_chain(
    device: DeviceLimits,
    call: &ChainCall,
    shape: &Shape,
    operands: &[Described],
    passes: &[(Pass, Wants)],
) -> Result<(), Error> {
    let product = |lengths: &[usize]| lengths.iter().map(|length| *length as u64).product();
    let (before, rest) = shape.as_slice().split_at(call.channel_axis);
    let key = |pass| {
        let mut key = Key::new(Call::Chain(call), pass, device);
        let flat = |operand: &Described| (operand.dtype, View::Flat(operand.len));
        key.operands = operands.iter().map(flat).collect();
        key.whose = operands.iter().map(|operand| operand.whose).collect();
        let queries = call.queries(shape);
        key.layout = [
            product(before),
            product(&rest[..1]),
            product(&rest[1..]),
            queries,
        ];
        key
    };
    for (pass, wants) in passes {
        let mut key = key(*pass);
        for _ in 0..gradients(*pass) {
            key.operands.insert(1, key.operands[0]);
            key.whose.insert(1, key.whose[0]);
        }
        key.wants = *wants;
        prepare(Call::Chain(call), key)?;
    }
    Ok(())
}

/// The same of a layer.
pub(crate) fn check_layer(
    device: DeviceLimits,
    call: &LayerCall,
    dtype: DType,
    parameters: u64,
) -> Result<(), Error> {
    let len = call.images.elements()?;
    for pass in Pass::FROM_X {
        let mut key = Key::new(Call::Layer(call), pass, device);
        let flat = |dtype, len| (dtype, View::Flat(len));
        let f32s = flat(DType::F32, parameters);
        key.operands = vec![flat(dtype, len), flat(dtype, len), f32s];
        key.layout = call.images.shape();
        prepare(Call::Layer(call), key)?;
    }
    Ok(())
}
