//! What is timed: the rows, and the function of each on a backend.

use crate::Result;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, TensorMetadata, get_or_init_device_settings,
};
use burn::tensor::{FloatDType, Shape, TensorData};
use burn_cubecl::CubeDevice;
use nonlin::Chain;
use nonlin_burn::{ChainCall, NonlinOps, Tensors};
use std::time::{Duration, Instant};

/// Something applied to x.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// nonlin's.
    pub(crate) chain: &'static str,
    /// burn's.
    pub(crate) kind: Kind,
    /// How far results may differ, relative to the largest.
    pub(crate) tolerance: f32,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Relu,
    HardSwish,
    Gelu,
    Silu,
    Mish,
    Softplus,
    ScaledSilu,
    Prelu,
    Swish,
    AconC,
    SwiGlu,
    Softmax,
    LogSoftmax,
}

pub(crate) const ROWS: [Row; 13] = [
    row("relu", "relu", Kind::Relu),
    row("hard_swish", "hardswish", Kind::HardSwish),
    Row {
        // burn's derivative of gelu is that of the approximation with tanh, with constants of six digits.
        tolerance: 2e-3,
        ..row("gelu", "gelu", Kind::Gelu)
    },
    row("silu", "silu", Kind::Silu),
    row("mish", "mish", Kind::Mish),
    row("softplus", "softplus", Kind::Softplus),
    row(
        "scale, silu, scale",
        "scale(0.5) | silu | scale(2)",
        Kind::ScaledSilu,
    ),
    row("prelu", "prelu(weight=@w)", Kind::Prelu),
    row("swish, learned beta", "swish(beta=@b)", Kind::Swish),
    row("acon_c", "acon_c(p1=@p, p2=@q, beta=@b)", Kind::AconC),
    row("swiglu", "silu | gate(@g)", Kind::SwiGlu),
    row("softmax", "softmax", Kind::Softmax),
    row("log_softmax", "log_softmax", Kind::LogSoftmax),
];

const fn row(name: &'static str, chain: &'static str, kind: Kind) -> Row {
    Row {
        name,
        chain,
        kind,
        tolerance: 1e-4,
    }
}

/// A value for each channel, as it meets `[N, C, L]`.
fn per_channel<B: Backend>(values: &FloatTensor<B>) -> FloatTensor<B> {
    let channels = values.shape().num_elements();
    B::float_reshape(values.clone(), Shape::from([1, channels, 1]))
}

/// burn's activations as burn's `activation` module composes them; swish and ACON-C, which are not there, from the
/// operations that they are written with.
fn burn<B: Backend>(kind: Kind, x: FloatTensor<B>, operands: &[FloatTensor<B>]) -> FloatTensor<B> {
    let silu = |x: FloatTensor<B>| B::float_mul(x.clone(), B::sigmoid(x));
    match (kind, operands) {
        (Kind::Relu, _) => B::relu(x),
        (Kind::HardSwish, _) => {
            let gate = B::hard_sigmoid(x.clone(), (1.0 / 6.0).into(), 0.5.into());
            B::float_mul(x, gate)
        }
        (Kind::Gelu, _) => B::gelu(x),
        (Kind::Silu, _) => silu(x),
        (Kind::Mish, _) => B::float_mul(x.clone(), B::float_tanh(softplus::<B>(x))),
        (Kind::Softplus, _) => softplus::<B>(x),
        (Kind::ScaledSilu, _) => {
            let y = silu(B::float_mul_scalar(x, 0.5.into()));
            B::float_mul_scalar(y, 2.0.into())
        }
        (Kind::Prelu, [weight]) => B::prelu(x, per_channel::<B>(weight)),
        (Kind::Swish, [beta]) => {
            let gate = B::sigmoid(B::float_mul(x.clone(), per_channel::<B>(beta)));
            B::float_mul(x, gate)
        }
        (Kind::AconC, [p1, p2, beta]) => {
            let p2 = per_channel::<B>(p2);
            let slope = B::float_sub(per_channel::<B>(p1), p2.clone());
            let scaled = B::float_mul(x.clone(), slope);
            let gate = B::sigmoid(B::float_mul(scaled.clone(), per_channel::<B>(beta)));
            B::float_add(B::float_mul(scaled, gate), B::float_mul(x, p2))
        }
        (Kind::SwiGlu, [gate]) => B::float_mul(silu(x), gate.clone()),
        (Kind::Softmax, _) => B::softmax(x, 2),
        (Kind::LogSoftmax, _) => B::log_softmax(x, 2),
        _ => unreachable!("operands are made for the row"),
    }
}

fn softplus<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let (beta, threshold) = (1.0, 20.0);
    let bools = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let scaled = B::float_mul_scalar(x.clone(), beta.into());
    let mask = B::float_greater_elem(scaled.clone(), threshold.into(), bools);
    let capped = B::float_mask_fill(scaled, mask.clone(), threshold.into());
    let y = B::float_div_scalar(B::float_log1p(B::float_exp(capped)), beta.into());
    B::float_mask_where(y, mask, x)
}

/// Where differentiation ends: it gives y's node a gradient that is there already, an existing tensor, as the layer
/// behind an activation does. (burn begins with ones; a loss such as the sum of y * dy would add kernels for all
/// alike.) Its value is a tensor of one element, so that burn's ones are one element too.
#[derive(Debug)]
struct Seed;

impl<B: Backend> Backward<B, 1> for Seed {
    type State = FloatTensor<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        gradients.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            gradients.register::<B>(node.id, ops.state);
        }
    }
}

fn seed<B: Backend>(
    y: &FloatTensor<Autodiff<B>>,
    dy: FloatTensor<B>,
    one: FloatTensor<B>,
) -> FloatTensor<Autodiff<B>> {
    let prepared = <Seed as Backward<B, 1>>::prepare::<NoCheckpointing>(Seed, [y.node()]);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(dy, one),
        OpsKind::UnTracked(prepared) => prepared.finish(one),
    }
}

/// What all rows of a backend share.
#[derive(Clone)]
pub(crate) struct Data<B: Backend> {
    pub(crate) device: CubeDevice,
    pub(crate) drain: fn(&CubeDevice),
    pub(crate) x: FloatTensor<B>,
    /// A gate, as long as x.
    gate: FloatTensor<B>,
    dy: FloatTensor<B>,
    /// Values for each channel.
    parameters: [FloatTensor<B>; 3],
    one: FloatTensor<B>,
}

impl<B: Backend<Device = CubeDevice>> Data<B> {
    pub(crate) fn new(device: &CubeDevice, drain: fn(&CubeDevice), shape: [usize; 3]) -> Self {
        let tensor = |seed, shape: &[usize], from, to| {
            let values = values(shape.iter().product(), seed, from, to);
            B::float_from_data(TensorData::new(values, shape), device)
        };
        let channels = &shape[1..2];
        Data {
            device: device.clone(),
            drain,
            x: tensor(1, &shape, -4.0, 4.0),
            gate: tensor(2, &shape, -1.0, 1.0),
            dy: tensor(3, &shape, -1.0, 1.0),
            parameters: [4, 5, 6].map(|seed| tensor(seed, channels, 0.25, 1.25)),
            one: B::float_ones(Shape::from([1]), device, FloatDType::F32),
        }
    }
}

/// Numbers that look random, the same for the same seed. None is where an activation has a kink, which everybody
/// gives a derivative of their own.
pub(crate) fn values(count: usize, seed: u64, from: f32, to: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        from + (to - from) * ((state >> 41) as f32 + 0.5) / (1u64 << 23) as f32
    };
    (0..count).map(|_| next()).collect()
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pass {
    Forward,
    Both,
}

/// A row's function on a backend.
pub(crate) struct Subject<B: Backend> {
    pub(crate) data: Data<B>,
    kind: Kind,
    operands: Vec<FloatTensor<B>>,
    /// nonlin's chain; burn's own operations without.
    call: Option<ChainCall>,
}

impl<B: NonlinOps<Device = CubeDevice>> Subject<B> {
    pub(crate) fn new(data: &Data<B>, kind: Kind, chain: Option<Chain>) -> Self {
        let [a, b, c] = &data.parameters;
        let operands = match kind {
            Kind::Prelu | Kind::Swish => vec![a],
            Kind::AconC => vec![a, b, c],
            Kind::SwiGlu => vec![&data.gate],
            _ => vec![],
        };
        Subject {
            data: data.clone(),
            kind,
            operands: operands.into_iter().cloned().collect(),
            call: chain.map(|chain| {
                // Rows lie along the last axis.
                let axis = if chain.row().is_some() { 2 } else { 1 };
                ChainCall::new(chain, axis)
            }),
        }
    }

    fn apply<A: NonlinOps>(
        &self,
        x: FloatTensor<A>,
        operands: &[FloatTensor<A>],
    ) -> FloatTensor<A> {
        let Some(call) = &self.call else {
            return burn::<A>(self.kind, x, operands);
        };
        let operands = match operands {
            [a] => Tensors::T1(a.clone()),
            [a, b, c] => Tensors::T3(a.clone(), b.clone(), c.clone()),
            _ => Tensors::T0,
        };
        A::chain_forward(call.clone(), x, operands)
    }

    /// y, then the gradients, if they are asked for.
    pub(crate) fn run(&self, pass: Pass) -> Result<Vec<FloatTensor<B>>> {
        let Data { x, dy, one, .. } = &self.data;
        if pass == Pass::Forward {
            return Ok(vec![self.apply::<B>(x.clone(), &self.operands)]);
        }
        let leaves = std::iter::once(x).chain(&self.operands).map(|tensor| {
            let leaf = Autodiff::<B>::from_inner(tensor.clone());
            Autodiff::<B>::float_set_require_grad(leaf, true)
        });
        let leaves: Vec<_> = leaves.collect();
        let y = self.apply::<Autodiff<B>>(leaves[0].clone(), &leaves[1..]);
        (self.data.drain)(&self.data.device);
        let end = seed::<B>(&y, dy.clone(), one.clone());
        let mut gradients = Autodiff::<B>::backward(end);
        let mut outputs = vec![Autodiff::<B>::inner(y)];
        for leaf in &leaves {
            let gradient = Autodiff::<B>::grad_remove(leaf, &mut gradients);
            outputs.push(gradient.ok_or("a gradient is missing")?);
        }
        Ok(outputs)
    }
}

/// What can be timed.
pub(crate) trait Variant {
    /// Until the device is done.
    fn sample(&self, pass: Pass, repeats: u32) -> Result<Duration>;

    fn results(&self, pass: Pass) -> Result<Vec<Vec<f32>>>;
}

impl<B: NonlinOps<Device = CubeDevice>> Variant for Subject<B> {
    fn sample(&self, pass: Pass, repeats: u32) -> Result<Duration> {
        let device = &self.data.device;
        B::sync(device)?;
        let start = Instant::now();
        let mut kept = Vec::new();
        for _ in 0..repeats {
            kept = self.run(pass)?;
            (self.data.drain)(device);
        }
        B::sync(device)?;
        let time = start.elapsed() / repeats;
        drop(kept);
        Ok(time)
    }

    fn results(&self, pass: Pass) -> Result<Vec<Vec<f32>>> {
        let read = |tensor| -> Result<Vec<f32>> {
            let data = pollster::block_on(B::float_into_data(tensor))?;
            Ok(data
                .try_into_vec::<f32>()
                .map_err(|error| format!("{error:?}"))?)
        };
        self.run(pass)?.into_iter().map(read).collect()
    }
}
