//! Chains on tensors.

use crate::call::{ChainCall, Form, LayerCall, Wants};
use crate::check::{self, Spec};
use crate::ops::{List, MOST, NonlinOps, Tensors};
use crate::packing::Packing;
use crate::recipes::DeviceLimits;
use crate::{Error, cube, shared};
use burn::backend::{BackendTensor, Dispatch, DispatchTensor, DispatchTensorKind, TensorMetadata};
use burn::tensor::Tensor;
use burn_cubecl::CubeDevice;
use nonlin::layers::{Images, Layer};
use nonlin::{Chain, DType, OperandError, Pass};
use std::sync::Arc;

/// A chain of nonlin, applied to burn's tensors in one dispatch, and its gradients in one more (two where
/// gradients are summed).
///
/// ```no_run
/// use burn::tensor::{Device, Tensor};
/// use nonlin_burn::Fused;
///
/// let device = Device::default();
/// let x = Tensor::<4>::ones([8, 16, 32, 32], &device);
/// let weight = Tensor::<1>::full([16], 0.25, &device);
/// let y = Fused::new("scale(0.5) | prelu(weight=@w)".parse()?)
///     .operand("w", weight)
///     .forward(x)?;
/// # Ok::<(), nonlin_burn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fused {
    chain: Chain,
    channel_axis: Option<isize>,
    random: [u64; 2],
    keeps_y: bool,
    operands: Vec<(String, DispatchTensor)>,
}

impl Fused {
    /// A chain, to be given operands if it has any.
    pub fn new(chain: Chain) -> Self {
        Fused {
            chain,
            channel_axis: None,
            random: [0, 0],
            keeps_y: false,
            operands: Vec::new(),
        }
    }

    /// The tensor of an operand, `@name` in the chain's text. How many elements it has says whose they are: 1,
    /// one for all; as many as channels, one for each channel; as samples and channels, one for each of these;
    /// of x's shape, one for each element. A tensor with as many axes as x, or of another number of elements, is broadcast as
    /// NumPy does it: a mask `[N, 1, L, L]` for all heads of x `[N, H, L, L]`. Its gradient is to be had where the chain has a
    /// step over whole rows.
    #[must_use]
    pub fn operand<const D: usize>(mut self, name: &str, tensor: Tensor<D>) -> Self {
        self.operands
            .push((name.to_owned(), tensor.into_dispatch()));
        self
    }

    /// The axis along which values per channel lie, from the last one if it is negative. Axis 1 where nothing
    /// else is said, as in `[N, C, H, W]`; axis 0 of tensors that have but one. It is the axis of rows too, where the chain has
    /// a step over whole rows, such as softmax: the last one then, where nothing else is said.
    #[must_use]
    pub fn channel_axis(mut self, axis: isize) -> Self {
        self.channel_axis = Some(axis);
        self
    }

    /// What random steps draw ([`nonlin::Operands::random`]): seed and offset.
    #[must_use]
    pub fn random(mut self, seed: u64, offset: u64) -> Self {
        self.random = [seed, offset];
        self
    }

    /// Keeps y for backward in the place of x, as PyTorch's tanh and sigmoid do: where the layer behind keeps y too, that
    /// halves the memory. The derivative is then as exact as y says it, which for tanh near 1 is less than x says. relu,
    /// relu6, hardtanh and leaky_relu, of which y says all, keep y by themselves. Chains that cannot are refused
    /// ([`nonlin::Chain::supports`]).
    #[must_use]
    pub fn keep_y(mut self) -> Self {
        self.keeps_y = true;
        self
    }

    /// The chain's value, of x's shape and element type. Under autodiff it is tracked if x or an operand is, and
    /// keeps x and the operands for backward, or y ([`keep_y`](Self::keep_y)), nothing else. Where nobody else holds x, as
    /// after a move, y takes its memory.
    ///
    /// # Errors
    /// [`Error::Nonlin`] for a chain that is not valid, an operand that is missing, unknown or of a length that
    /// fits nothing; and this package's own for what is said of tensors.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Result<Tensor<D>, Error> {
        let x = x.into_dispatch();
        let asked = self.asked(&x, D)?;
        for (name, is_tracked) in asked.call.chain.operands().iter().zip(&asked.tracked[1..]) {
            if *is_tracked && !asked.call.chain.learnable().contains(name) {
                let operand = (*name).to_owned();
                return Err(Error::NoGradient { operand });
            }
        }
        let wants = Wants::of(asked.tracked.iter().copied());
        let mut passes = vec![(Pass::Forward, Wants::of([]))];
        let backward = asked.call.backward();
        passes.extend((wants != Wants::of([])).then_some((backward, wants)));
        asked.check(&x, &passes)?;
        let operands = Tensors::of(asked.given);
        Ok(Tensor::from_dispatch(Dispatch::chain_forward(
            asked.call, x, operands,
        )))
    }

    /// The chain's derivative at x times dy: dx = dy f'(x), of x's shape. Under autodiff it is tracked if x or dy is, and
    /// backward from there is one dispatch of nonlin's double backward: so a loss may have derivatives of a network in it, as
    /// those of differential equations do. Operands may not be tracked. It is from x, whether or not `forward` would
    /// [keep y](Self::keep_y).
    ///
    /// burn's own autodiff is of first order alone: it does not track what `backward` gives. What a network's derivatives
    /// with respect to its inputs are is to be written as tensors: through each linear layer a tangent goes as the values do,
    /// and through an activation at x by this function, as dy.
    ///
    /// ```no_run
    /// use burn::tensor::{Device, Tensor};
    /// use nonlin_burn::Fused;
    ///
    /// let device = Device::default().autodiff();
    /// let x = Tensor::<1>::from_floats([0.5, 1.0], &device).require_grad();
    /// let ones = Tensor::ones([2], &device);
    /// let slope = Fused::new("tanh".parse()?).backward(x.clone(), ones)?;
    /// let bend = x.grad(&slope.sum().backward());
    /// # Ok::<(), nonlin_burn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Shape`] where dy has another shape than x; where anything is tracked, what
    /// [`nonlin::Chain::supports`] says of double backward, and [`Error::NoGradient`] for an operand.
    pub fn backward<const D: usize>(self, x: Tensor<D>, dy: Tensor<D>) -> Result<Tensor<D>, Error> {
        let (x, dy) = (x.into_dispatch(), dy.into_dispatch());
        let mut asked = self.asked(&x, D)?;
        // x is given, and double backward reads it.
        asked.call = asked.call.with_from_y(false);
        same_device("dy", &dy, &x)?;
        if spec(&dy) != spec(&x) {
            return Err(Error::Shape {
                operand: "dy".into(),
                shape: dy.shape().as_slice().to_vec(),
                x: x.shape().as_slice().to_vec(),
            });
        }
        if let Some(at) = asked.tracked[1..].iter().position(|tracked| *tracked) {
            let operand = asked.call.chain.operands()[at].to_owned();
            return Err(Error::NoGradient { operand });
        }
        let wants = Wants::of([true]);
        let mut passes = vec![(Pass::Backward, wants)];
        if asked.tracked[0] || is_tracked(&dy) {
            passes.push((Pass::DoubleBackward, Wants::of([])));
        }
        asked.check(&x, &passes)?;
        let operands = Tensors::of(asked.given);
        let gradients = Dispatch::chain_backward(asked.call, wants, x, dy, operands);
        let dx = gradients.list().pop().map(Tensor::from_dispatch);
        Ok(dx.unwrap_or_else(|| unreachable!("dx was asked for")))
    }

    /// The call and its operands, with all that can be wrong with them whatever the pass.
    fn asked(self, x: &DispatchTensor, rank: usize) -> Result<Asked, Error> {
        let Fused {
            chain,
            channel_axis,
            random,
            keeps_y,
            operands,
        } = self;
        let [seed, offset] = random;
        // Rows lie along the last axis, where nothing else is said.
        let of_rows = chain.row().map(|_| chain.axis().unwrap_or(-1) as isize);
        let asked = channel_axis.or(of_rows);
        if keeps_y {
            chain.supports(Pass::BackwardFromY)?;
        }
        let call = ChainCall::new(chain, axis(asked, rank)?);
        let from_y = keeps_y || call.from_y;
        let call = call.random(seed, offset).with_from_y(from_y);
        let device = limits("x", x)?;
        let names = call.chain.operands();
        if names.len() > MOST {
            return Err(Error::TooMany {
                operands: names.len(),
                limit: MOST,
            });
        }
        let given = in_order(&names, operands)?;
        let tracked: Vec<bool> = std::iter::once(x).chain(&given).map(is_tracked).collect();
        for (name, tensor) in names.iter().zip(&given) {
            same_device(&format!("@{name}"), tensor, x)?;
        }
        Ok(Asked {
            call,
            device,
            given,
            tracked,
        })
    }
}

/// A chain with its operands, before a pass.
struct Asked {
    call: ChainCall,
    device: DeviceLimits,
    /// The operands, in the chain's order.
    given: Vec<DispatchTensor>,
    /// Whether autodiff tracks x, and each of these.
    tracked: Vec<bool>,
}

impl Asked {
    fn check(&self, x: &DispatchTensor, passes: &[(Pass, Wants)]) -> Result<(), Error> {
        let operands: Vec<Spec> = self.given.iter().map(spec).collect();
        check::chain(self.device, &self.call, passes, &spec(x), &operands)
    }
}

/// A gated linear unit of a packed tensor `[..., 2 h]`: the chain, which has no operands, of the first half of the
/// last axis, times the second half. Where halves of rows are whole 32-bit words they are read and their
/// gradients written where they lie, each pass in one dispatch.
///
/// # Errors
/// [`Error::Nonlin`] for a chain that is not valid or has operands, [`Error::Odd`] where the last axis is not
/// even, and the package's own for what is said of tensors.
pub fn gated<const D: usize>(chain: &Chain, x: Tensor<D>) -> Result<Tensor<D>, Error> {
    without_operands(chain)?;
    let shape = x.dims();
    let last = shape[D - 1];
    if !last.is_multiple_of(2) {
        return Err(Error::Odd {
            shape: shape.to_vec(),
        });
    }
    let whole = chain.clone().gate("gate");
    whole.validate()?;
    let (half, rows) = (last / 2, shape.iter().product::<usize>() / last.max(1));
    let size = cube::dtype(x.dtype()).map_or(0, DType::size) as usize;
    let is_ragged = rows > 1 && !(half * size).is_multiple_of(4);
    if is_ragged || chain.row().is_some() {
        let part = |range| x.clone().slice_dim(D - 1, range);
        return Fused::new(whole)
            .operand("gate", part(half..last))
            .forward(part(0..half));
    }
    let packed = x.into_dispatch();
    let device = limits("x", &packed)?;
    let call = ChainCall::new(whole, 0);
    check::gated(device, &call, &spec(&packed))?;
    Ok(Tensor::from_dispatch(Dispatch::gated_forward(call, packed)))
}

/// The operands' tensors in the order of the chain's names.
fn in_order(
    names: &[&str],
    mut operands: Vec<(String, DispatchTensor)>,
) -> Result<Vec<DispatchTensor>, Error> {
    let mut given = Vec::with_capacity(names.len());
    for name in names {
        let at = operands.iter().position(|(known, _)| known == name);
        given.push(operands.swap_remove(at.ok_or_else(|| missing(name))?).1);
    }
    match operands.first() {
        Some((name, _)) => Err(unexpected(name)),
        None => Ok(given),
    }
}

/// Refuses a chain that would need an operand where none can be given.
pub(crate) fn without_operands(chain: &Chain) -> Result<(), Error> {
    match chain.operands().first() {
        Some(name) => Err(missing(name)),
        None => Ok(()),
    }
}

fn missing(name: &str) -> Error {
    let missing = OperandError::Missing {
        pass: Pass::Forward,
        operand: format!("@{name}"),
    };
    missing.into()
}

fn unexpected(name: &str) -> Error {
    let unexpected = OperandError::Unexpected {
        pass: Pass::Forward,
        operand: format!("@{name}"),
    };
    unexpected.into()
}

/// The axis, counted from the first.
fn axis(asked: Option<isize>, rank: usize) -> Result<usize, Error> {
    let axis = asked.unwrap_or(if rank > 1 { 1 } else { 0 });
    let from_first = if axis < 0 { axis + rank as isize } else { axis };
    usize::try_from(from_first)
        .ok()
        .filter(|axis| *axis < rank)
        .ok_or(Error::Axis { rank, axis })
}

/// A device that nonlin's passes can be had on.
#[derive(PartialEq)]
enum Place {
    Cube(CubeDevice),
    /// Another process has it.
    #[cfg(feature = "remote")]
    Remote(burn_remote::RemoteDevice),
}

/// Where a tensor is, and whether autodiff tracks it.
fn parts(kind: &DispatchTensorKind) -> Option<(Place, bool)> {
    if let DispatchTensorKind::Autodiff(inner) = kind {
        return parts(inner);
    }
    // With other features burn has more backends.
    if let DispatchTensorKind::Cube(tensor) = kind {
        let is_tracked = matches!(tensor, BackendTensor::Autodiff(tensor) if tensor.is_tracked());
        return Some((Place::Cube(tensor.device()), is_tracked));
    }
    #[cfg(feature = "remote")]
    if let DispatchTensorKind::Remote(tensor) = kind {
        let is_tracked = matches!(tensor, BackendTensor::Autodiff(tensor) if tensor.is_tracked());
        return Some((Place::Remote(tensor.device()), is_tracked));
    }
    None
}

fn is_tracked(tensor: &DispatchTensor) -> bool {
    parts(&tensor.kind).is_some_and(|(_, tracked)| tracked)
}

/// The limits of a tensor's device, if that runs WGSL.
fn limits(operand: &str, tensor: &DispatchTensor) -> Result<DeviceLimits, Error> {
    let other = |device: String| Error::Device {
        operand: operand.to_owned(),
        device,
    };
    match parts(&tensor.kind) {
        Some((Place::Cube(device), _)) => {
            let client = device.client();
            match shared::runs(&client) {
                true => Ok((&client).into()),
                false => Err(other(client.name().to_owned())),
            }
        }
        #[cfg(feature = "remote")]
        Some((Place::Remote(_), _)) => Ok(DeviceLimits::UNKNOWN),
        None => Err(other(format!("{:?}", tensor.device()))),
    }
}

fn spec(tensor: &DispatchTensor) -> Spec {
    (tensor.shape(), tensor.dtype())
}

fn same_device(operand: &str, tensor: &DispatchTensor, x: &DispatchTensor) -> Result<(), Error> {
    let device = |tensor: &DispatchTensor| parts(&tensor.kind).map(|(place, _)| place);
    if device(tensor).is_some() && device(tensor) == device(x) {
        return Ok(());
    }
    Err(Error::OtherDevice {
        operand: operand.to_owned(),
        device: format!("{:?}", tensor.device()),
        x: format!("{:?}", x.device()),
    })
}

/// A parameter of a layer: its name, and how it comes.
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) tensor: DispatchTensor,
    pub(crate) form: Form,
}

/// A layer on images x, `[N, C, H, W]`: its value, and where it trains the parameters one behind the other, as f32, with
/// renewed statistics. The parameters are in the layer's order.
pub(crate) fn layer(
    layer: Layer,
    images: Images,
    x: Tensor<4>,
    parameters: Vec<Given>,
    packing: Arc<Packing>,
) -> Result<(Tensor<4>, Option<Tensor<1>>), Error> {
    let x = x.into_dispatch();
    let device = limits("x", &x)?;
    for given in &parameters {
        same_device(&given.name, &given.tensor, &x)?;
    }
    let forms = parameters.iter().map(|given| given.form).collect();
    let call = LayerCall::new(layer, images, forms, packing)?;
    let parameters = parameters.into_iter().map(|given| given.tensor);
    let parameters: Vec<DispatchTensor> = parameters.collect();
    let specs: Vec<Spec> = parameters.iter().map(spec).collect();
    check::layer(device, &call, &spec(&x), &specs)?;
    let mut all = Dispatch::layer_forward(call.clone(), x, Tensors::of(parameters))
        .list()
        .into_iter();
    let y = all.next().map(Tensor::from_dispatch);
    let y = y.unwrap_or_else(|| unreachable!("y is always there"));
    let renewed = all.last().filter(|_| call.trains());
    Ok((y, renewed.map(Tensor::from_dispatch)))
}
