//! Activations whose parameters are learned.

use crate::{Error, Fused, expect};
use burn::config::Config;
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use nonlin::{Activation, Chain, Step};

/// An activation with some of its parameters from operands of their names.
fn chain(activation: &str, learned: &[&str]) -> Chain {
    let activation = Activation::by_name(activation);
    let step = activation.map(|activation| {
        let plain = Ok(Step::from(activation));
        learned
            .iter()
            .fold(plain, |step, name| step?.with(name, *name))
    });
    match step {
        Some(Ok(step)) => Chain::new().step(step),
        _ => unreachable!("nonlin has the activations that modules are of"),
    }
}

macro_rules! learned {
    ($(
        $(#[$about:meta])*
        $module:ident $config:ident = $name:literal { $($parameter:ident: $default:literal),+ };
    )+) => {$(
        $(#[$about])*
        ///
        /// Each parameter has one value for all elements, or one for each channel: for each place along axis 1.
        #[derive(Module, Debug)]
        pub struct $module {
            $(
                #[doc = concat!("`", stringify!($parameter), "`, of shape `[1]` or `[channels]`.")]
                pub $parameter: Param<Tensor<1>>,
            )+
        }

        #[doc = concat!("How to make [`", stringify!($module), "`].")]
        #[derive(Config, Debug)]
        pub struct $config {
            /// How many values each parameter has: 1, or as many as x has channels.
            #[config(default = 1)]
            pub num_parameters: usize,
            $(
                #[doc = concat!("What `", stringify!($parameter), "` begins at.")]
                #[config(default = $default)]
                pub $parameter: f64,
            )+
        }

        impl $config {
            /// A module whose parameters are on this device.
            pub fn init(&self, device: &Device) -> $module {
                $module {
                    $($parameter: Initializer::Constant { value: self.$parameter }
                        .init([self.num_parameters], device),)+
                }
            }
        }

        impl $module {
            /// The values of x, `[N, C, ...]` where parameters are per channel; of any shape where they are not.
            ///
            /// # Panics
            /// With what [`Error`](crate::Error) says, where x has other channels than the parameters, or
            /// is on another device, or on none that runs WGSL.
            pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
                let chain = chain($name, &[$(stringify!($parameter)),+]);
                let fused = Fused::new(chain)
                    $(.operand(stringify!($parameter), self.$parameter.val()))+;
                expect(fused.forward(x))
            }
        }
    )+};
}

learned! {
    /// PReLU: x if x > 0, else weight x, with a learned weight.
    ///
    /// He et al. 2015, arXiv:1502.01852.
    Prelu PreluConfig = "prelu" { weight: "0.25" };
    /// PReLU under another name: x if x > 0, else negative_slope x, with a learned slope.
    LeakyRelu LeakyReluConfig = "leaky_relu" { negative_slope: "0.01" };
    /// Swish: x sigmoid(beta x), with a learned beta.
    ///
    /// Ramachandran et al. 2017, arXiv:1710.05941.
    Swish SwishConfig = "swish" { beta: "1.0" };
    /// ACON-B: (1 - p) x sigmoid(beta (1 - p) x) + p x, with learned p and beta.
    ///
    /// Ma et al. 2021, arXiv:2009.04759.
    AconB AconBConfig = "acon_b" { p: "0.25", beta: "1.0" };
    /// ACON-C: (p1 - p2) x sigmoid(beta (p1 - p2) x) + p2 x, all three learned.
    ///
    /// Ma et al. 2021, arXiv:2009.04759.
    AconC AconCConfig = "acon_c" { p1: "1.0", p2: "0.25", beta: "1.0" };
    /// ELU with a learned alpha: x if x > 0, else alpha (exp(x) - 1).
    ///
    /// Clevert et al. 2015, arXiv:1511.07289; Trottier et al. 2016, arXiv:1605.09332.
    Elu EluConfig = "elu" { alpha: "1.0" };
    /// CELU with a learned alpha: x if x > 0, else alpha (exp(x / alpha) - 1).
    ///
    /// Barron 2017, arXiv:1704.07483.
    Celu CeluConfig = "celu" { alpha: "1.0" };
    /// StarReLU: scale max(x, 0)² + bias, both learned.
    ///
    /// Yu et al. 2022, arXiv:2210.13452.
    StarRelu StarReluConfig = "star_relu" { scale: "0.894_427_2", bias: "-0.447_213_6" };
}

/// xIELU: alpha_p x² + beta x if x > 0, else alpha_n (exp(min(x, eps)) - 1 - x) + beta x, with learned alphas.
///
/// The alphas are softplus of what is learned, alpha_n above beta, as in the authors' code. Huang and Schlag
/// 2024, arXiv:2411.13010.
#[derive(Module, Debug)]
pub struct Xielu {
    /// Before softplus, of shape `[1]`.
    pub alpha_p: Param<Tensor<1>>,
    /// Before softplus, of shape `[1]`.
    pub alpha_n: Param<Tensor<1>>,
    /// The slope at zero.
    pub beta: f64,
    /// Where the exponential ends.
    pub eps: f64,
}

/// How to make [`Xielu`].
#[derive(Config, Debug)]
pub struct XieluConfig {
    /// What alpha_p begins at, behind softplus.
    #[config(default = 0.8)]
    pub alpha_p: f64,
    /// What alpha_n begins at, behind softplus and beta.
    #[config(default = 0.8)]
    pub alpha_n: f64,
    /// The slope at zero.
    #[config(default = 0.5)]
    pub beta: f64,
    /// Where the exponential ends.
    #[config(default = "-1e-6")]
    pub eps: f64,
}

impl XieluConfig {
    /// A module whose parameters are on this device.
    pub fn init(&self, device: &Device) -> Xielu {
        let before = |after: f64| Initializer::Constant {
            value: after.exp_m1().ln(),
        };
        Xielu {
            alpha_p: before(self.alpha_p).init([1], device),
            alpha_n: before(self.alpha_n - self.beta).init([1], device),
            beta: self.beta,
            eps: self.eps,
        }
    }
}

impl Xielu {
    /// The values of x, of any shape.
    ///
    /// # Panics
    /// With what [`Error`](crate::Error) says, where x is on another device than the parameters, or on none that
    /// runs WGSL.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let positive = crate::functions::softplus(self.alpha_p.val(), 1.0, 20.0);
        let negative = crate::functions::softplus(self.alpha_n.val(), 1.0, 20.0) + self.beta;
        let plain = Step::from(Activation::Xielu {
            alpha_p: 0.0,
            alpha_n: 0.0,
            beta: self.beta as f32,
            eps: self.eps as f32,
        });
        let step = plain
            .with("alpha_p", "alpha_p")
            .and_then(|step| step.with("alpha_n", "alpha_n"));
        let fused = Fused::new(Chain::new().step(expect(step.map_err(Error::Nonlin))))
            .operand("alpha_p", positive)
            .operand("alpha_n", negative);
        expect(fused.forward(x))
    }
}
