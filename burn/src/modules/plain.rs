//! Modules without parameters of their own, and gates.

use crate::{Error, Fused, expect, fused};
use burn::config::Config;
use burn::module::{Initializer, Module};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use nonlin::Chain;

/// A chain of nonlin as a module: an activation by name, or several steps in one dispatch.
///
/// ```
/// let module = nonlin_burn::modules::ChainedConfig::new("scale(0.5) | silu".into()).init()?;
/// assert_eq!(module.chain, "scale(0.5) | silu");
/// # Ok::<(), nonlin_burn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Chained {
    /// The chain's text.
    #[module(skip)]
    pub chain: String,
}

/// How to make [`Chained`].
#[derive(Config, Debug)]
pub struct ChainedConfig {
    /// The chain's text, without operands: `mish`, `scale(0.5) | silu | scale(2)`.
    pub chain: String,
}

impl ChainedConfig {
    /// A module.
    ///
    /// # Errors
    /// [`Error::Nonlin`] for text that is no chain, or a chain with operands.
    pub fn init(&self) -> Result<Chained, Error> {
        let chain: Chain = self.chain.parse()?;
        chain.validate()?;
        fused::without_operands(&chain)?;
        Ok(Chained {
            chain: chain.to_string(),
        })
    }
}

impl Chained {
    /// The values of x, of any shape.
    ///
    /// # Panics
    /// With what [`Error`] says, where x is on no device that runs WGSL.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let chain = self.chain.parse().map_err(Error::Nonlin);
        expect(crate::activation(&expect(chain), x))
    }
}

/// A gated linear unit of one packed tensor: of `[..., 2 h]`, the activation of the first half times the second.
/// Both halves are read where they lie, in one dispatch; and their gradients are written so, in one more.
///
/// With `sigmoid` it is PyTorch's glu with the halves exchanged; with `silu` SwiGLU, with `gelu` GEGLU, with
/// `relu` ReGLU. Shazeer 2020, arXiv:2002.05202.
#[derive(Module, Debug)]
pub struct Glu {
    /// The activation, or chain, of the first half.
    #[module(skip)]
    pub chain: String,
}

/// How to make [`Glu`].
#[derive(Config, Debug)]
pub struct GluConfig {
    /// The activation of the first half, or a chain without operands.
    #[config(default = "String::from(\"silu\")")]
    pub chain: String,
}

impl GluConfig {
    /// A module.
    ///
    /// # Errors
    /// As [`ChainedConfig::init`].
    pub fn init(&self) -> Result<Glu, Error> {
        let Chained { chain } = ChainedConfig::new(self.chain.clone()).init()?;
        Ok(Glu { chain })
    }
}

impl Glu {
    /// Of `[..., 2 h]`, values of `[..., h]`.
    ///
    /// # Panics
    /// With what [`Error`] says, where the last axis is not even, or x is on no device that runs WGSL.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let chain = self.chain.parse().map_err(Error::Nonlin);
        expect(crate::gated(&expect(chain), x))
    }
}

/// SwiGLU with its two linear layers, whose names are those of burn's `SwiGlu`: what that has saved, this loads.
///
/// silu(linear_inner(x)) linear_outer(x); the product and silu are one dispatch. Shazeer 2020, arXiv:2002.05202.
#[derive(Module, Debug)]
pub struct SwiGlu {
    /// What silu is of.
    pub linear_inner: Linear,
    /// What it is multiplied by.
    pub linear_outer: Linear,
}

/// How to make [`SwiGlu`].
#[derive(Config, Debug)]
pub struct SwiGluConfig {
    /// Features of x.
    pub d_input: usize,
    /// Features of the result.
    pub d_output: usize,
    /// Whether the linear layers have a bias.
    #[config(default = false)]
    pub bias: bool,
    /// What the linear layers begin at.
    #[config(
        default = "Initializer::KaimingUniform{gain:0.577_350_269_189_625_8, fan_out_only:false}"
    )]
    pub initializer: Initializer,
}

impl SwiGluConfig {
    /// A module whose parameters are on this device.
    pub fn init(&self, device: &Device) -> SwiGlu {
        let linear = LinearConfig::new(self.d_input, self.d_output)
            .with_bias(self.bias)
            .with_initializer(self.initializer.clone());
        SwiGlu {
            linear_inner: linear.init(device),
            linear_outer: linear.init(device),
        }
    }
}

impl SwiGlu {
    /// Of `[..., d_input]`, values of `[..., d_output]`.
    ///
    /// # Panics
    /// Where x has other features; with what [`Error`] says, where x is on no device that runs WGSL.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let inner = self.linear_inner.forward(x.clone());
        let outer = self.linear_outer.forward(x);
        let chain = Chain::new().act(nonlin::Activation::Silu).gate("g");
        expect(Fused::new(chain).operand("g", outer).forward(inner))
    }
}
