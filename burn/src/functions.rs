//! One function for each activation of nonlin, with its parameters as numbers.
//!
//! They take and give tensors as burn's own functions do, tracked by autodiff or not.
//!
//! ```no_run
//! # let x = burn::tensor::Tensor::<1>::ones([4], &burn::tensor::Device::default());
//! let y = nonlin_burn::functions::mish(x.clone());
//! let z = nonlin_burn::functions::leaky_relu(x, 0.1);
//! ```

use burn::tensor::Tensor;
use nonlin::Activation;

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
