//! Activations of [nonlin] inside [burn]: forward and backward in one dispatch each, on burn's own tensors.
//!
//! - [`Fused`] applies any chain of nonlin to a tensor: `scale(0.5) | silu`, `bias(@b) | prelu(weight=@w)`,
//!   `silu | gate(@g)`.
//! - [`functions`] has one function for each activation: `nonlin_burn::functions::mish(x)`.
//! - [`modules`] are layers as burn's users write them, with parameters that train and are saved:
//!   [`Prelu`](modules::Prelu), [`Swish`](modules::Swish), [`AconC`](modules::AconC),
//!   [`Frelu`](modules::Frelu), [`SwiGlu`](modules::SwiGlu) and others.
//!
//! Kernels are launched on burn's own stream: they are batched with burn's, nothing is copied, submitted or
//! waited for, and all memory is burn's. This needs a device of burn's feature `wgpu` without its features
//! `vulkan` and `metal`, whose compilers take no WGSL: there [`Error::Device`] says so, until the device is given to
//! [`share`].
//!
//! With the feature `remote` all of it works on tensors of burn's remote devices too, whose servers are made with `serving`
//! (feature `remote-server`).
//!
//! ```no_run
//! use burn::tensor::{Device, Tensor};
//!
//! let device = Device::default().autodiff();
//! let x = Tensor::<2>::random([64, 256], burn::tensor::Distribution::Default, &device).require_grad();
//! let y = nonlin_burn::activation(&"scale(0.5) | mish".parse()?, x.clone())?;
//! let gradients = y.sum().backward();
//! let dx = x.grad(&gradients);
//! # Ok::<(), nonlin_burn::Error>(())
//! ```

mod autodiff;
mod call;
mod check;
mod cube;
mod error;
pub mod functions;
mod fused;
#[cfg(feature = "fusion")]
mod fusion;
pub mod modules;
mod ops;
mod packing;
mod recipes;
#[cfg(feature = "remote")]
mod remote;
#[cfg(any(feature = "fusion", feature = "remote"))]
mod request;
#[cfg(feature = "remote-server")]
mod server;
mod shared;
mod view;
#[cfg(feature = "remote")]
mod wire;

pub use call::{ChainCall, LayerCall, Wants};
pub use error::Error;
pub use fused::{Fused, gated};
pub use nonlin;
pub use ops::{NonlinOps, Tensors};
pub use recipes::kernels;
#[cfg(feature = "remote-server")]
pub use server::serving;
pub use shared::share;
#[doc(hidden)]
pub use shared::share_always;

use burn::tensor::Tensor;

/// A chain without operands on a tensor; [`Fused`] for others.
///
/// # Errors
/// As [`Fused::forward`].
pub fn activation<const D: usize>(chain: &nonlin::Chain, x: Tensor<D>) -> Result<Tensor<D>, Error> {
    Fused::new(chain.clone()).forward(x)
}

/// What burn's own functions do where a tensor is not as it must be.
fn expect<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
