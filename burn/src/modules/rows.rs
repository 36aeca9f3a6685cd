//! Modules of whole rows: attention's weights, and a norm with a gate.

use crate::{Fused, expect};
use burn::config::Config;
use burn::module::{Flag, Initializer, Module, Param};
use burn::tensor::{Bool, Device, Tensor};
use nonlin::{Activation, Argument, Branch, Chain, Row, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What attention multiplies values by: dropout(softmax(scale scores + mask)) of scores `[batch, heads, queries, keys]`, in
/// one dispatch, and its gradients in one more. Nothing of that size is kept for backward but the scores.
///
/// It stands where burn's `MultiHeadAttention` has `attn_weights`, and in the place of these four operations of any model.
#[derive(Module, Debug)]
pub struct AttentionWeights {
    /// What scores are multiplied by: 1 / sqrt(dimension of a head).
    pub scale: f64,
    /// Where scores are held within: cap tanh(score / cap), before masks. 0: nowhere.
    pub softcap: f64,
    /// Whether a query sees the keys up to its own only; the last query is that of the last key.
    pub causal: bool,
    /// The probability that a weight is zeroed while the module trains.
    pub dropout: f64,
    /// A key for each head, `[heads]`, that all queries see and that has no value: attention sinks, as gpt-oss has them.
    pub sinks: Option<Param<Tensor<1>>>,
    /// Whether weights are dropped, as in burn's `Dropout`: on devices with autodiff, until the module is frozen.
    pub training: Param<Flag>,
    /// What is dropped depends on the seed, and on how often the module, or a clone of it, was called.
    #[module(skip)]
    seed: u64,
    #[module(skip)]
    calls: Arc<AtomicU64>,
}

/// How to make [`AttentionWeights`].
#[derive(Config, Debug)]
pub struct AttentionWeightsConfig {
    /// What scores are multiplied by: 1 / sqrt(dimension of a head).
    pub scale: f64,
    /// Where scores are held within. 0: nowhere.
    #[config(default = 0.0)]
    pub softcap: f64,
    /// Whether a query sees the keys up to its own only.
    #[config(default = false)]
    pub causal: bool,
    /// The probability that a weight is zeroed while the module trains.
    #[config(default = 0.0)]
    pub dropout: f64,
    /// How many heads have a sink that is learned, which begins at 0. 0: there is none.
    #[config(default = 0)]
    pub sinks: usize,
    /// What is dropped depends on it.
    #[config(default = 0)]
    pub seed: u64,
}

impl AttentionWeightsConfig {
    /// A module whose parameters are on this device.
    ///
    /// # Errors
    /// [`Error::Nonlin`](crate::Error::Nonlin) for a scale that is not finite, a softcap below 0, a dropout that is no
    /// probability.
    pub fn init(&self, device: &Device) -> Result<AttentionWeights, crate::Error> {
        let sinks = (self.sinks > 0).then(|| Initializer::Zeros.init([self.sinks], device));
        let module = AttentionWeights {
            scale: self.scale,
            softcap: self.softcap,
            causal: self.causal,
            dropout: self.dropout,
            sinks,
            training: Param::from_bool(true),
            seed: self.seed,
            calls: Arc::default(),
        };
        module.chain(true, 0, true)?.validate()?;
        Ok(module)
    }
}

impl AttentionWeights {
    /// The weights of scores `[batch, heads, queries, keys]`. A mask is added, and is as large or has axes of length 1, as
    /// `[batch, 1, queries, keys]` has; [`masked`] makes one of `Bool`s. What a mask hides has the weight 0, and so have all
    /// where it hides all.
    ///
    /// # Panics
    /// With what [`Error`](crate::Error) says: a mask that does not broadcast, other heads than there are sinks, scores
    /// on no device that runs WGSL.
    pub fn forward(&self, scores: Tensor<4>, mask: Option<Tensor<4>>) -> Tensor<4> {
        let [_, _, queries, keys] = scores.dims();
        let ahead = keys as i32 - queries as i32;
        let trains = self.training.is_enabled() && scores.device().is_autodiff();
        let chain = expect(self.chain(mask.is_some(), ahead, trains));
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut fused = Fused::new(chain).random(self.seed, call);
        if let Some(mask) = mask {
            fused = fused.operand("mask", mask);
        }
        if let Some(sinks) = &self.sinks {
            let heads = sinks.shape().num_elements();
            fused = fused.operand("sinks", sinks.val().reshape([1, heads, 1, 1]));
        }
        expect(fused.forward(scores))
    }

    fn chain(&self, masked: bool, ahead: i32, trains: bool) -> Result<Chain, crate::Error> {
        let mut chain = Chain::new().scale(self.scale as f32);
        if self.softcap != 0.0 {
            let cap = self.softcap as f32;
            let capped = format!("softcap({cap})").parse::<Chain>()?;
            chain = capped.steps().iter().cloned().fold(chain, Chain::step);
        }
        if masked {
            chain = chain.residual("mask");
        }
        if self.causal {
            chain = chain.step(Step::causal(ahead));
        }
        let softmax = Step::row(Row::Softmax);
        chain = chain.step(match self.sinks {
            Some(_) => softmax.with("sink", "sinks")?,
            None => softmax,
        });
        if trains && self.dropout != 0.0 {
            chain = chain.dropout(self.dropout as f32);
        }
        Ok(chain)
    }
}

/// The mask that is added for one of `Bool`s, where true hides a key, as burn has it: -inf there and 0 elsewhere.
pub fn masked<const D: usize>(hidden: Tensor<D, Bool>) -> Tensor<D> {
    let zeros = Tensor::zeros(hidden.dims(), &hidden.device());
    zeros.mask_fill(hidden, f32::NEG_INFINITY)
}

/// RMS norm with a gate, over the last axis, in one dispatch: gamma x / sqrt(mean(x²) + epsilon) silu(gate), as Qwen3-Next
/// has it; or of x silu(gate) in the place of x and without the gate behind, as Mamba-2 has it.
#[derive(Module, Debug)]
pub struct RmsNormGated {
    /// The weight, `[d_model]`.
    pub gamma: Param<Tensor<1>>,
    /// What is added to the mean of the squares.
    pub epsilon: f64,
    /// Whether the norm is of x alone, before the gate.
    pub norm_before_gate: bool,
}

/// How to make [`RmsNormGated`].
#[derive(Config, Debug)]
pub struct RmsNormGatedConfig {
    /// Features of x, along its last axis.
    pub d_model: usize,
    /// What is added to the mean of the squares.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether the norm is of x alone, before the gate.
    #[config(default = true)]
    pub norm_before_gate: bool,
}

impl RmsNormGatedConfig {
    /// A module whose weight, of ones, is on this device.
    pub fn init(&self, device: &Device) -> RmsNormGated {
        RmsNormGated {
            gamma: Initializer::Ones.init([self.d_model], device),
            epsilon: self.epsilon,
            norm_before_gate: self.norm_before_gate,
        }
    }
}

impl RmsNormGated {
    /// Of x and a gate, both `[..., d_model]`.
    ///
    /// # Panics
    /// With what [`Error`](crate::Error) says, where x has other features, the gate another shape, or x is on no device that
    /// runs WGSL.
    pub fn forward<const D: usize>(&self, x: Tensor<D>, gate: Tensor<D>) -> Tensor<D> {
        let silu = Branch::new("gate", Chain::new().act(Activation::Silu));
        let gated = |chain: Chain| chain.gate(Argument::Branch(silu.clone()));
        let norm = Step::row(Row::RmsNorm).with("eps", self.epsilon as f32);
        let norm = expect(norm.map_err(crate::Error::Nonlin));
        let chain = match self.norm_before_gate {
            true => gated(Chain::new().step(norm).scale("gamma")),
            false => gated(Chain::new()).step(norm).scale("gamma"),
        };
        let fused = Fused::new(chain)
            .operand("gamma", self.gamma.val())
            .operand("gate", gate);
        expect(fused.forward(x))
    }
}
