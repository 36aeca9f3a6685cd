//! Recipes for calls, kept by what they depend on, so that an operation is a look-up and a launch.

use crate::call::{ChainCall, LayerCall, Wants, Whose};
use crate::view::View;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::ir::{AddressType, ElemType, UIntKind, metadata::Info};
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::{CubeKernel, PrecompiledSource};
use nonlin::layers::{Images, Order};
use nonlin::{
    DType, DTypes, Error, LayerOperands, Layout, Limits, Memory, Operand, Operands, Pass, Recipe,
    Rows,
};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Recipes of so many calls are kept, before all are made anew.
const KEPT: usize = 4096;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call<'a> {
    /// Operands: x, dy if the pass is backward, ddx if it is double backward, those of arguments; then y, or the gradients
    /// that are wanted, or ddy and dx.
    Chain(&'a ChainCall),
    /// The packed tensor, then y, or dy and the packed gradient.
    Gated(&'a ChainCall),
    /// x, y, parameters, and what is saved; or x, dy, dx, parameters, their gradients, and what was saved.
    Layer(&'a LayerCall),
}

/// What a recipe depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    kind: u8,
    what: Arc<str>,
    pub(crate) pass: Pass,
    pub(crate) wants: Wants,
    /// Of a chain what is read, of the others what is said in `recipe`.
    pub(crate) operands: Vec<(DType, View)>,
    /// And whose the values of a chain's operands are.
    pub(crate) whose: Vec<Whose>,
    /// Samples, channels and what is beside each other; images as they lie.
    pub(crate) layout: [u64; 4],
    pub(crate) order: Order,
    /// Whether a chain's y lies where x does, or its dx where dy does.
    pub(crate) in_place: bool,
    limits: DeviceLimits,
}

/// What of a device's limits recipes depend on: workgroups along an axis, invocations of one, bytes of a binding, what its
/// offset is a multiple of, and how many bindings there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DeviceLimits([u64; 5]);

impl DeviceLimits {
    /// Of a device of which another process knows them: nothing is refused that some device could do.
    #[cfg(feature = "remote")]
    pub(crate) const UNKNOWN: DeviceLimits = DeviceLimits([65_535, 256, 1 << 40, 256, 1 << 20]);
}

impl From<&Client> for DeviceLimits {
    fn from(client: &Client) -> Self {
        let (hardware, memory) = (&client.properties().hardware, &client.properties().memory);
        DeviceLimits([
            u64::from(hardware.max_cube_count.0),
            u64::from(hardware.max_units_per_cube),
            memory.max_page_size,
            memory.alignment,
            u64::from(hardware.max_bindings),
        ])
    }
}

impl Key {
    pub(crate) fn new(call: Call<'_>, pass: Pass, device: impl Into<DeviceLimits>) -> Self {
        let (kind, what) = match call {
            Call::Chain(call) => (0, &call.key),
            Call::Gated(call) => (1, &call.key),
            Call::Layer(call) => (2, &call.key),
        };
        Key {
            kind,
            what: Arc::clone(what),
            pass,
            wants: Wants::of([]),
            operands: Vec::new(),
            whose: Vec::new(),
            layout: [1, 1, 1, 0],
            order: Order::Nchw,
            in_place: false,
            limits: device.into(),
        }
    }

    /// The operand of this index, as the key has it.
    fn operand(&self, index: usize) -> Operand<'static> {
        let (dtype, view) = &self.operands[index];
        operand(index, view, *dtype)
    }

    fn limits(&self) -> Limits {
        let DeviceLimits([groups, lanes, binding, alignment, bindings]) = self.limits;
        Limits {
            max_compute_workgroups_per_dimension: groups as u32,
            max_compute_invocations_per_workgroup: lanes as u32,
            max_storage_buffer_binding_size: binding,
            min_storage_buffer_offset_alignment: alignment as u32,
            max_storage_buffers_per_shader_stage: bindings as u32,
            ..Limits::default()
        }
    }
}

/// The operand of index `id`, which lies as the view tells, in memory that begins with it.
fn operand(id: usize, view: &View, dtype: DType) -> Operand<'static> {
    let memory = Memory::External {
        id: id as u64,
        size: view.bytes(dtype.size()),
    };
    match *view {
        View::Flat(len) => Operand::in_memory(memory, 0, len),
        View::Rows { rows, len, stride } => {
            Operand::in_memory(memory, 0, rows * len).rows(Rows { len, stride })
        }
    }
}

/// A recipe, its kernels ready to be launched.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) kernels: Vec<Wgsl>,
    pub(crate) recipe: Recipe,
}

/// The recipe of a call, made if it is not there yet.
pub(crate) fn prepare(call: Call<'_>, key: Key) -> Result<Arc<Prepared>, Error> {
    static RECIPES: LazyLock<Mutex<HashMap<Key, Arc<Prepared>>>> = LazyLock::new(Mutex::default);
    let lock = || RECIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = lock().get(&key) {
        return Ok(Arc::clone(found));
    }
    let recipe = match call {
        Call::Chain(call) => chain(call, &key)?,
        Call::Gated(call) => gated(call, &key)?,
        Call::Layer(call) => layer(call, &key)?,
    };
    let dispatches = recipe.dispatches().iter();
    let prepared = Arc::new(Prepared {
        kernels: dispatches.map(|d| Wgsl::new(d.wgsl())).collect(),
        recipe,
    });
    let mut recipes = lock();
    if recipes.len() >= KEPT {
        recipes.clear();
    }
    recipes.insert(key, Arc::clone(&prepared));
    Ok(prepared)
}

/// How many gradients a pass of a chain reads.
pub(crate) fn gradients(pass: Pass) -> usize {
    match pass {
        Pass::Forward => 0,
        Pass::DoubleBackward => 2,
        _ => 1,
    }
}

fn chain(call: &ChainCall, key: &Key) -> Result<Recipe, Error> {
    let is_forward = key.pass == Pass::Forward;
    let [outer, channels, inner, queries] = key.layout;
    let (x_dtype, x_view) = key.operands[0];
    let mut dtypes = DTypes::from(x_dtype);
    let mut operands = Operands::new().layout(Layout {
        outer,
        channels,
        inner,
    });
    operands = match key.pass {
        Pass::BackwardFromY => operands.y(key.operand(0)),
        _ => operands.x(key.operand(0)),
    };
    if queries > 0 {
        operands = operands.queries(queries);
    }
    let is_second = key.pass == Pass::DoubleBackward;
    let first = 1 + gradients(key.pass);
    if !is_forward {
        dtypes.dy = key.operands[1].0;
        operands = operands.dy(key.operand(1));
    }
    if is_second {
        operands = operands.ddx(key.operand(2));
    }
    let names = call.chain.operands();
    for (name, index) in names.iter().zip(first..) {
        operands = operands.arg(name, key.operand(index), key.operands[index].0);
        if let Whose::Broadcast(broadcast) = key.whose[index] {
            operands = operands.broadcast(name, broadcast);
        }
    }
    // What is written has no gaps. What is in place comes first, and is the last operand that is not an argument's.
    let place = key.in_place.then_some(first - 1);
    let mut next = place.into_iter().chain(key.operands.len()..);
    let mut output = |view: View, dtype| {
        let id = next.next().unwrap_or_default();
        operand(id, &View::Flat(view.len()), dtype)
    };
    if is_forward {
        operands = operands.y(output(x_view, x_dtype));
    } else if is_second {
        operands = operands.ddy(output(x_view, dtypes.dy));
        operands = operands.dx(output(x_view, x_dtype));
    } else {
        let mut wanted = key.wants.each();
        if wanted.next() == Some(true) {
            operands = operands.dx(output(x_view, x_dtype));
        }
        for ((name, index), wanted) in names.iter().zip(first..).zip(wanted) {
            let (dtype, view) = key.operands[index];
            if wanted {
                operands = operands.grad(name, output(view, dtype), dtype);
            }
        }
    }
    Recipe::new(&call.chain, key.pass, dtypes, &operands, &key.limits())
}

/// The key's layout is the packed tensor's length and that of its last axis.
fn gated(call: &ChainCall, key: &Key) -> Result<Recipe, Error> {
    let [len, last, ..] = key.layout;
    let (dtype, half) = (key.operands[0].0, last / 2);
    let rows = len.checked_div(last).unwrap_or(0);
    let halves = |id| {
        let size = len * dtype.size();
        let part = |at| {
            Operand::in_memory(Memory::External { id, size }, at, rows * half).rows(Rows {
                len: half,
                stride: last,
            })
        };
        (part(0), part(half * dtype.size()))
    };
    let names = call.chain.operands();
    let name = names.first().copied().unwrap_or_default();
    let (x, gate) = halves(0);
    let operands = Operands::new().x(x).arg(name, gate, dtype);
    let mut dtypes = DTypes::from(dtype);
    let operands = match key.pass {
        Pass::Forward => operands.y(key.operand(1)),
        _ => {
            dtypes.dy = key.operands[1].0;
            let (dx, d_gate) = halves(2);
            operands.dy(key.operand(1)).dx(dx).grad(name, d_gate, dtype)
        }
    };
    Recipe::new(&call.chain, key.pass, dtypes, &operands, &key.limits())
}

/// The key's operands are x, y or dy, and the parameters; its layout is the images' shape as they lie.
fn layer(call: &LayerCall, key: &Key) -> Result<Recipe, Error> {
    let images = Images {
        order: key.order,
        ..call.images
    };
    let [(x_dtype, x), (other, _), (_, parameters)] = key.operands[..] else {
        unreachable!("x, y or dy, and the parameters");
    };
    let of_images = |id, dtype| operand(id, &x, dtype);
    let f32s = |id, len| operand(id, &View::Flat(len), DType::F32);
    let mut dtypes = DTypes::from(x_dtype);
    let operands = LayerOperands::new().x(of_images(0, x_dtype));
    let (mut operands, saved) = if key.pass == Pass::Forward {
        let operands = operands
            .y(of_images(1, x_dtype))
            .parameters(f32s(2, parameters.len()));
        (operands, 3)
    } else {
        dtypes.dy = other;
        let operands = operands
            .dy(of_images(1, other))
            .dx(of_images(2, x_dtype))
            .parameters(f32s(3, parameters.len()))
            .gradients(f32s(4, parameters.len()));
        (operands, 5)
    };
    if call.saved_len() > 0 {
        operands = operands.saved(f32s(saved, call.saved_len()));
    }
    let limits = key.limits();
    Recipe::layer(&call.layer, &images, key.pass, dtypes, &operands, &limits)
}

/// A kernel that burn compiles as it is.
#[derive(Clone, Debug)]
pub(crate) struct Wgsl {
    /// Equal texts have equal numbers.
    pub(crate) number: u64,
    text: Arc<str>,
}

/// Kernels' numbers by their texts.
static KERNELS: LazyLock<Mutex<HashMap<Arc<str>, u64>>> = LazyLock::new(Mutex::default);

/// How many kernels nonlin has had for burn so far, in this process. burn compiles each once for every device that it is
/// launched on: another shape, other operands and another chain take those that are there, where their text is the same.
pub fn kernels() -> usize {
    KERNELS.lock().unwrap_or_else(PoisonError::into_inner).len()
}

impl Wgsl {
    fn new(text: &str) -> Self {
        let mut kernels = KERNELS.lock().unwrap_or_else(PoisonError::into_inner);
        let next = kernels.len() as u64;
        let text: Arc<str> = text.into();
        let number = *kernels.entry(Arc::clone(&text)).or_insert(next);
        Wgsl { number, text }
    }
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
