//! The server's half: nonlin's passes among the operations that it runs for its clients.

use crate::call::{ChainCall, Form, LayerCall, Wants};
use crate::check::{self, Spec};
use crate::cube;
use crate::ops::half_shape;
use crate::request::{self, Request};
use crate::shared;
use burn::backend::Cube;
use burn::server::{CustomOpIr, HandleContainer, RemoteServer};
use burn::tensor::DType;
use burn_cubecl::CubeDevice;
use burn_remote::ir::{BackendIr, ScalarIr};
use nonlin::layers::{Images, Layer};
use nonlin::{Chain, Custom, Error, Pass};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// So many chains are kept, before all are read anew.
const KEPT: usize = 1024;

/// Lets a server of burn's run nonlin's passes, so that [`Fused`](crate::Fused), the functions, modules and layers work on
/// tensors of its clients. Those need this package's feature `remote`, and the same version of it.
///
/// ```no_run
/// use burn::server::{IrohIdentity, IrohTransport, RemoteServer};
/// use burn::tensor::Device;
///
/// let transport = IrohTransport::new(IrohIdentity::load_or_create("server.key")?);
/// let server = RemoteServer::new([Device::default()]);
/// nonlin_burn::serving(server).serve(transport)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What a client asks for and nonlin refuses ends that client's session, as all does that goes wrong in an operation of
/// burn's: its next read is an error, and the server's log has the reason.
#[must_use]
pub fn serving(server: RemoteServer) -> RemoteServer {
    request::NAMES.iter().fold(server, |server, name| {
        server.with_custom_op::<Cube, _>(name, run)
    })
}

type Handles = HandleContainer<<Cube as BackendIr>::Handle>;

/// Runs an operation of a client's. It is on the thread of that client's session, which a panic ends.
fn run(handles: &mut Handles, operation: &CustomOpIr, device: &CubeDevice) {
    let inputs = operation.inputs.iter();
    let specs: Vec<Spec> = inputs.map(|t| (t.shape.clone(), t.dtype)).collect();
    let request = read(&operation.id, &operation.scalars)
        .and_then(|request| check(&request, &specs, device).map(|()| request));
    let request = request.unwrap_or_else(|wrong| panic!("{}: {wrong}", operation.id));
    let inputs = operation.inputs.iter();
    let inputs = inputs.map(|input| handles.get_float_tensor::<Cube>(input));
    let made = request.run::<Cube>(inputs.collect());
    for (output, tensor) in operation.outputs.iter().zip(made) {
        handles.register_float_tensor::<Cube>(&output.id, tensor);
    }
}

/// What a request's numbers were written from, as wire.rs tells.
///
/// # Errors
/// What is wrong with them, in words.
fn read(name: &str, scalars: &[ScalarIr]) -> Result<Request, String> {
    let numbers = scalars.iter().map(|scalar| match scalar {
        ScalarIr::UInt(number) => Ok(*number),
        other => Err(format!("{other:?} is no whole number")),
    });
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
    let (first, rest) = numbers
        .split_first_chunk::<5>()
        .ok_or_else(|| format!("{} numbers are too few", numbers.len()))?;
    let texts = texts(rest)?;
    let chain = || {
        let [axis, seed, offset, _, from_y] = *first;
        let axis = usize::try_from(axis).map_err(|error| error.to_string())?;
        let call = ChainCall::new(chain(&texts)?, axis).random(seed, offset);
        Ok::<_, String>(call.with_from_y(from_y == 1))
    };
    let layer = || {
        let [samples, channels, height, width, turned] = *first;
        let images = Images::nchw(samples, channels, height, width);
        let text = texts.first().ok_or("there is no text")?;
        layer(text, images, turned).map_err(|error| error.to_string())
    };
    let wants = Wants::of(bits(first[3]));
    Ok(match name {
        request::CHAIN_FORWARD => Request::ChainForward(chain()?),
        request::CHAIN_BACKWARD => Request::ChainBackward(chain()?, wants),
        request::CHAIN_DOUBLE_BACKWARD => Request::ChainDoubleBackward(chain()?),
        request::GATED_FORWARD => Request::GatedForward(chain()?),
        request::GATED_BACKWARD => Request::GatedBackward(chain()?),
        request::LAYER_FORWARD => Request::LayerForward(layer()?),
        request::LAYER_BACKWARD => Request::LayerBackward(layer()?),
        _ => return Err("there is no such pass".to_owned()),
    })
}

/// The last bit is the first.
fn bits(number: u64) -> impl Iterator<Item = bool> {
    (0..u16::BITS).map(move |bit| number >> bit & 1 == 1)
}

/// The layer of a text, its parameters as they come.
fn layer(text: &str, images: Images, turned: u64) -> Result<LayerCall, Error> {
    let layer: Layer = text.parse()?;
    let parameters = layer.parameters(&images)?;
    let forms = parameters.iter().zip(bits(turned));
    let forms = forms.map(|(parameter, turned)| Form {
        turned,
        learned: parameter.learned,
    });
    LayerCall::new(layer, images, forms.collect(), Arc::default())
}

fn texts(mut numbers: &[u64]) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = numbers.split_first() {
        let length = usize::try_from(*length).map_err(|error| error.to_string())?;
        let words = rest
            .get(..length.div_ceil(8))
            .ok_or("a text is cut short")?;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(length);
        texts.push(String::from_utf8(bytes).map_err(|error| error.to_string())?);
        numbers = &rest[words.len()..];
    }
    Ok(texts)
}

/// The chain of a text, in which activations of the user's own may stand. Chains are kept, since those activations are
/// checked by naga, which takes longer than all else.
fn chain(texts: &[String]) -> Result<Chain, String> {
    static CHAINS: LazyLock<Mutex<HashMap<Vec<String>, Chain>>> = LazyLock::new(Mutex::default);
    let lock = || CHAINS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get(texts) {
        return Ok(known.clone());
    }
    let (text, own) = texts.split_first().ok_or("there is no text")?;
    let mut customs = Vec::new();
    for custom in own.chunks(3) {
        let [name, parameters, wgsl] = custom else {
            return Err("an activation is cut short".to_owned());
        };
        // The chain's text has their values.
        let names = parameters.split(',').filter(|name| !name.is_empty());
        let parameters: Vec<(&str, f32)> = names.map(|name| (name, 0.0)).collect();
        let custom = Custom::new(name, &parameters, wgsl);
        customs.push(custom.map_err(|error| error.to_string())?);
    }
    let chain = Chain::parse_with(text, &customs).map_err(|error| error.to_string())?;
    let mut chains = lock();
    if chains.len() >= KEPT {
        chains.clear();
    }
    chains.insert(texts.to_vec(), chain.clone());
    Ok(chain)
}

/// Whether a request can be run on such inputs. A client of nonlin's has made sure of it, but for the limits of this device.
fn check(request: &Request, inputs: &[Spec], device: &CubeDevice) -> Result<(), String> {
    let client = device.client();
    if !shared::runs(&client) {
        return Err(format!("{} takes no kernels in WGSL", client.name()));
    }
    if let Some(other) = inputs.iter().find(|input| cube::dtype(input.1).is_none()) {
        return Err(format!("elements of {:?}", other.1));
    }
    let limits = (&client).into();
    let lacks = || Err(format!("{} tensors do not fit", inputs.len()));
    let none = Wants::of([]);
    let is_like = |one: &Spec, other: &Spec| one.0 == other.0;
    let checked = match (request, inputs) {
        (Request::ChainForward(call), [x, operands @ ..]) if fits(call, x, operands) => {
            check::chain(limits, call, &[(Pass::Forward, none)], x, operands)
        }
        (Request::ChainBackward(call, wants), [x, dy, operands @ ..])
            if fits(call, x, operands) && is_like(x, dy) =>
        {
            check::chain(limits, call, &[(call.backward(), *wants)], x, operands)
        }
        (Request::ChainDoubleBackward(call), [x, dy, ddx, operands @ ..])
            if fits(call, x, operands) && x == dy && x == ddx =>
        {
            let passes = [(Pass::DoubleBackward, none)];
            check::chain(limits, call, &passes, x, operands)
        }
        (Request::GatedForward(call), [packed]) => check::gated(limits, call, packed),
        (Request::GatedBackward(call), [packed, dy]) if dy.0 == half_shape(&packed.0) => {
            check::gated(limits, call, packed)
        }
        (Request::LayerForward(call), [x, parameters @ ..])
            if shows(call, x) && has(call, parameters) =>
        {
            check::layer(limits, call, x, parameters)
        }
        (Request::LayerBackward(call), [x, dy, rest @ ..])
            if shows(call, x) && is_like(x, dy) && call.forms().len() <= rest.len() =>
        {
            let (parameters, saved) = rest.split_at(call.forms().len());
            let is_saved = |spec: &Spec| {
                spec.1 == DType::F32 && spec.0.num_elements() as u64 == call.saved_len()
            };
            let has_saved = match saved {
                [] => call.saved_len() == 0,
                [only] => is_saved(only),
                _ => false,
            };
            if !has(call, parameters) || !has_saved {
                return lacks();
            }
            check::layer(limits, call, x, parameters)
        }
        _ => return lacks(),
    };
    checked.map_err(|error| error.to_string())
}

/// Whether there are as many operands as the chain has, and the axis that it speaks of.
fn fits(call: &ChainCall, x: &Spec, operands: &[Spec]) -> bool {
    call.chain.operands().len() == operands.len() && call.channel_axis < x.0.num_dims()
}

/// Whether x has the images' shape.
fn shows(call: &LayerCall, x: &Spec) -> bool {
    let lengths = x.0.as_slice().iter().map(|length| *length as u64);
    lengths.eq(call.images.shape())
}

/// Whether these are the layer's parameters: as many elements each, and those that come turned are matrices.
fn has(call: &LayerCall, parameters: &[Spec]) -> bool {
    let Ok(wanted) = call.layer.parameters(&call.images) else {
        return false;
    };
    let mut each = parameters.iter().zip(&wanted).zip(call.forms());
    wanted.len() == parameters.len()
        && call.forms().len() == parameters.len()
        && each.all(|((given, wanted), form)| {
            wanted.elements() == Some(given.0.num_elements() as u64)
                && (!form.turned || given.0.num_dims() == 2)
        })
}
