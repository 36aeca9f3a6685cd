//! One function for each activation of nonlin, with its parameters as numbers.
//!
//! They take and give tensors as burn's own functions do, tracked by autodiff or not.
//!
//! ```no_run
//! # let x = burn::tensor::Tensor::<1>::ones([4], &burn::tensor::Device::default());
//! let y = nonlin_burn::functions::mish(x.clone());
//! let z = nonlin_burn::functions::leaky_relu(x, 0.1);
//! ```

use crate::{Error, Fused};
use burn::tensor::{AsIndex, Tensor};
use nonlin::{Activation, Chain};

macro_rules! functions {
    ($(
        $name:ident [$($alias:literal),*] = $variant:ident
        $({ $($parameter:ident: $default:literal),+ })?, $formula:literal;
    )+) => {
        $(
            #[doc = concat!("`", stringify!($name), "`: ", $formula)]
            ///
            /// # Panics
            /// With what [`Error`](crate::Error) says, where x is on no device that runs WGSL, or has elements
            /// that are not floats; and for parameters that are not finite.
            pub fn $name<const D: usize>(
                x: Tensor<D>
                $($(, $parameter: f64)+)?
            ) -> Tensor<D> {
                $($(let $parameter = $parameter as f32;)+)?
                let activation = Activation::$variant $({ $($parameter),+ })?;
                crate::expect(crate::activation(&activation.into(), x))
            }
        )+
    };
}

nonlin::for_each_activation!(functions);

/// A function of the rows along an axis, the last one counted as -1 too.
fn row<const D: usize>(chain: &str, x: Tensor<D>, dim: impl AsIndex) -> Tensor<D> {
    let chain: Result<Chain, _> = chain.parse().map_err(Error::Nonlin);
    let fused = Fused::new(crate::expect(chain)).channel_axis(dim.as_index());
    crate::expect(fused.forward(x))
}

macro_rules! rows {
    ($($(#[$about:meta])* $name:ident = $chain:literal;)+) => {
        $(
            $(#[$about])*
            ///
            /// # Panics
            /// With what [`Error`](crate::Error) says, where x has no such axis, is on no device that runs WGSL, or has
            /// elements that are not floats.
            pub fn $name<const D: usize>(x: Tensor<D>, dim: impl AsIndex) -> Tensor<D> {
                row($chain, x, dim)
            }
        )+
    };
}

rows! {
    /// softmax along an axis, in one dispatch: e^(x - m) over their sum, m the largest x. A row of -inf alone gives zeros.
    softmax = "softmax";
    /// The logarithm of [`softmax`]: x - m - log(sum of e^(x - m)).
    log_softmax = "log_softmax";
    /// softmax with one more element of 0 in each row, which is left out of the result, so that a row may say nothing.
    quiet_softmax = "quiet_softmax";
    /// [`softmax`] of -x.
    softmin = "softmin";
}
