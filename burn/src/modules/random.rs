//! An activation that draws while it trains.

use crate::{Error, Fused, expect};
use burn::config::Config;
use burn::module::{Flag, Module, Param};
use burn::tensor::Tensor;
use nonlin::{Chain, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Randomized ReLU: x if x >= 0, else a x. While it trains, a is drawn for each element, evenly from `lower` to `upper`;
/// elsewhere a is the mean of the two. Nothing is kept for backward but x: it draws the same slopes again.
///
/// As torch.nn.RReLU. Xu, Wang, Chen and Li 2015, arXiv:1505.00853.
#[derive(Module, Debug)]
pub struct Rrelu {
    /// The least slope.
    pub lower: f64,
    /// The greatest slope.
    pub upper: f64,
    /// Whether slopes are drawn, as in burn's `Dropout`: on devices with autodiff, until the module is frozen.
    pub training: Param<Flag>,
    /// What is drawn depends on the seed, and on how often the module, or a clone of it, was called.
    #[module(skip)]
    seed: u64,
    #[module(skip)]
    calls: Arc<AtomicU64>,
}

/// How to make [`Rrelu`].
#[derive(Config, Debug)]
pub struct RreluConfig {
    /// The least slope.
    #[config(default = "0.125")]
    pub lower: f64,
    /// The greatest slope.
    #[config(default = "1.0 / 3.0")]
    pub upper: f64,
    /// What is drawn depends on it.
    #[config(default = 0)]
    pub seed: u64,
}

impl RreluConfig {
    /// A module.
    ///
    /// # Errors
    /// [`Error::Nonlin`] for slopes that are not finite, or of which the least is the greater.
    pub fn init(&self) -> Result<Rrelu, Error> {
        let module = Rrelu {
            lower: self.lower,
            upper: self.upper,
            training: Param::from_bool(true),
            seed: self.seed,
            calls: Arc::default(),
        };
        module.chain().validate()?;
        Ok(module)
    }
}

impl Rrelu {
    /// The values of x, of any shape.
    ///
    /// # Panics
    /// With what [`Error`] says, where x is on no device that runs WGSL, or has elements that are not floats.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if !self.training.is_enabled() || !x.device().is_autodiff() {
            return expect(crate::activation(&self.chain().evaluation(), x));
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let fused = Fused::new(self.chain()).random(self.seed, call);
        expect(fused.forward(x))
    }

    fn chain(&self) -> Chain {
        Chain::new().step(Step::rrelu(self.lower as f32, self.upper as f32))
    }
}
