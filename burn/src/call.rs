//! What is asked of a backend beside tensors.

use crate::packing::Packing;
use burn::tensor::Shape;
use nonlin::layers::{Images, Layer};
use nonlin::{Argument, Broadcast, Chain, Custom, Error, Function, Pass};
use std::sync::Arc;

/// A chain, its text as a key for what is made of it, and how it is applied.
#[derive(Clone, Debug)]
pub struct ChainCall {
    pub(crate) chain: Arc<Chain>,
    pub(crate) key: Arc<str>,
    /// The axis of x along which values per channel lie.
    pub(crate) channel_axis: usize,
    /// Seed and offset of what random steps draw.
    pub(crate) random: [u64; 2],
    /// Whether backward is from y.
    pub(crate) from_y: bool,
}

/// Activations whose value says the derivative as exactly as x does: each value is x itself, a multiple of it, or where it
/// is held.
const EXACT_FROM_Y: [&str; 4] = ["relu", "relu6", "hardtanh", "leaky_relu"];

impl ChainCall {
    /// A call of a chain whose values per channel lie along this axis. Backends take a chain, and operands, that
    /// [`Fused`](crate::Fused) would.
    pub fn new(chain: Chain, channel_axis: usize) -> Self {
        let mut key = chain.to_string();
        for custom in customs(&chain) {
            // Two of a name may differ in their text.
            key += custom.wgsl();
        }
        let is_exact = match chain.steps() {
            [step] => EXACT_FROM_Y.contains(&step.name()),
            _ => false,
        };
        ChainCall {
            from_y: is_exact && chain.supports(Pass::BackwardFromY).is_ok(),
            chain: Arc::new(chain),
            key: key.into(),
            channel_axis,
            random: [0, 0],
        }
    }

    /// The pass that gives gradients.
    pub(crate) fn backward(&self) -> Pass {
        match self.from_y {
            true => Pass::BackwardFromY,
            false => Pass::Backward,
        }
    }

    /// With backward from y where that is so, whatever it costs in exactness, and else from x.
    pub(crate) fn with_from_y(mut self, is_so: bool) -> Self {
        self.from_y = is_so;
        self
    }

    /// Whether rows of matrices are masked by their number.
    pub(crate) fn is_causal(&self) -> bool {
        let mut steps = self.chain.steps().iter();
        steps.any(|step| *step.function() == Function::Causal)
    }

    /// How many rows a matrix has whose rows are masked so; none where they are not.
    pub(crate) fn queries(&self, shape: &Shape) -> u64 {
        let before = self.channel_axis.checked_sub(1);
        let rows = before.map_or(1, |axis| shape[axis] as u64);
        if self.is_causal() { rows } else { 0 }
    }

    /// Whose the values of an operand of this shape are.
    pub(crate) fn whose(&self, x: &Shape, own: &Shape) -> Whose {
        let (x, own) = (x.as_slice(), own.as_slice());
        let channel = self.channel_axis;
        if own.len() < x.len() {
            let product = |lengths: &[usize]| lengths.iter().product::<usize>();
            let counts = [1, x[channel], product(&x[..=channel]), product(x)];
            if counts.contains(&product(own)) {
                return Whose::Counted;
            }
        }
        let broadcasts = own.len() <= x.len()
            && (own.iter().rev().zip(x.iter().rev())).all(|(own, x)| own == x || *own == 1);
        let has_axes = |has: &dyn Fn(usize) -> bool| {
            let mut axes = own.iter().zip(x).enumerate();
            own.len() == x.len()
                && axes.all(|(axis, (own, x))| *x == 1 || *own == if has(axis) { *x } else { 1 })
        };
        let is_counted = has_axes(&|_| false)
            || has_axes(&|axis| axis == channel)
            || has_axes(&|axis| axis <= channel)
            || has_axes(&|_| true);
        if is_counted || !broadcasts {
            return Whose::Counted;
        }
        let lengths = |shape: &[usize]| -> Vec<u64> { shape.iter().map(|l| *l as u64).collect() };
        Broadcast::of_shapes(&lengths(x), &lengths(own)).map_or(Whose::Unknown, Whose::Broadcast)
    }

    /// With seed and offset of what random steps draw.
    #[must_use]
    pub fn random(mut self, seed: u64, offset: u64) -> Self {
        self.random = [seed, offset];
        self
    }
}

/// The activations of the user's own in a chain and its branches.
pub(crate) fn customs(chain: &Chain) -> Vec<&Custom> {
    let mut all = Vec::new();
    for step in chain.steps() {
        if let Function::Custom(custom) = step.function() {
            all.push(custom);
        }
        for argument in step.arguments() {
            if let Argument::Branch(branch) = argument {
                all.extend(customs(branch.chain()));
            }
        }
    }
    all
}

/// Whose the values of an operand are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    /// As the number of its elements says.
    Counted,
    /// As NumPy broadcasts its shape to x's.
    Broadcast(Broadcast),
    /// As NumPy would, but no chain reads operands that way.
    Unknown,
}

/// Which gradients are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wants(u16);

impl Wants {
    /// x first, then the operands in the chain's order.
    pub fn of(wanted: impl IntoIterator<Item = bool>) -> Self {
        let bits = wanted.into_iter().enumerate();
        Wants(bits.fold(0, |all, (index, wanted)| all | u16::from(wanted) << index))
    }

    /// As a number, the first in its last bit.
    #[cfg(feature = "remote")]
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.0)
    }

    pub(crate) fn each(self) -> impl Iterator<Item = bool> {
        (0..u16::BITS).map(move |index| self.0 >> index & 1 == 1)
    }
}

/// A layer, the images that it is applied to, as NCHW tells them, and how its parameters come.
#[derive(Clone, Debug)]
pub struct LayerCall {
    pub(crate) layer: Arc<Layer>,
    pub(crate) key: Arc<str>,
    pub(crate) images: Images,
    pub(crate) packing: Arc<Packing>,
    forms: Arc<[Form]>,
    saved: u64,
}

/// How a parameter of a layer comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// As burn's linear layers have it, `[inputs, outputs]`, where nonlin's have `[outputs, inputs]`.
    pub(crate) turned: bool,
    /// Whether it has a gradient.
    pub(crate) learned: bool,
}

impl LayerCall {
    pub(crate) fn new(
        layer: Layer,
        images: Images,
        forms: Vec<Form>,
        packing: Arc<Packing>,
    ) -> Result<Self, Error> {
        Ok(LayerCall {
            saved: layer.saved_len(&images)?,
            key: format!("{layer:?}").into(),
            layer: Arc::new(layer),
            images,
            packing,
            forms: forms.into(),
        })
    }

    /// Which parameters come turned.
    #[cfg(feature = "remote")]
    pub(crate) fn turned(&self) -> Wants {
        Wants::of(self.forms.iter().map(|form| form.turned))
    }

    /// How the parameters come, in the layer's order.
    pub(crate) fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// Elements of what forward leaves for backward.
    pub(crate) fn saved_len(&self) -> u64 {
        self.saved
    }

    /// Whether it renews running statistics.
    pub(crate) fn trains(&self) -> bool {
        self.layer.trains()
    }
}
