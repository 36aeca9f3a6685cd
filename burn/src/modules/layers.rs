//! FReLU, Meta-ACON and Dynamic ReLU, on `[N, C, H, W]`.

use crate::call::Form;
use crate::fused::{self, Given};
use crate::packing::OwnPacking;
use crate::{Error, expect};
use burn::backend::TensorMetadata;
use burn::config::Config;
use burn::module::{Initializer, Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, FloatDType, Tensor};
use nonlin::LayerError;
use nonlin::layers::{self, Images, Layer};

/// A layer's tensors by the names that nonlin has for them.
struct Named(Vec<Given>);

impl Named {
    fn put<const D: usize>(&mut self, name: &str, tensor: Tensor<D>) {
        self.add(name, tensor, false);
    }

    fn add<const D: usize>(&mut self, name: &str, tensor: Tensor<D>, turned: bool) {
        self.0.push(Given {
            name: name.to_owned(),
            tensor: tensor.into_dispatch(),
            form: Form {
                turned,
                learned: true,
            },
        });
    }

    /// A linear layer, whose weights burn has as `[inputs, outputs]`.
    fn linear(&mut self, name: &str, linear: &Linear) {
        self.add(&format!("{name}_weight"), linear.weight.val(), true);
        if let Some(bias) = &linear.bias {
            self.put(&format!("{name}_bias"), bias.val());
        }
    }

    fn norm(&mut self, mark: &str, norm: Option<&BatchNorm>, trains: bool, device: &Device) {
        let Some(norm) = norm else { return };
        self.put(&format!("bn{mark}_weight"), norm.gamma.val());
        self.put(&format!("bn{mark}_bias"), norm.beta.val());
        let value = |state: &burn::module::RunningState<Tensor<1>>| {
            let value = if trains {
                state.value_sync()
            } else {
                state.value()
            };
            value.to_device(device)
        };
        self.put(&format!("running_mean{mark}"), value(&norm.running_mean));
        self.put(&format!("running_var{mark}"), value(&norm.running_var));
    }

    /// Applies the layer, and renews the statistics of norms that train.
    fn apply(
        self,
        layer: Layer,
        x: Tensor<4>,
        packing: &OwnPacking,
        norms: &[(&str, Option<&BatchNorm>)],
    ) -> Result<Tensor<4>, Error> {
        let [n, c, h, w] = x.dims().map(|length| length as u64);
        let images = Images::nchw(n, c, h, w);
        let wanted = layer.parameters(&images)?;
        let mut named = self.0;
        let mut ordered = Vec::with_capacity(wanted.len());
        let mut places = Vec::with_capacity(wanted.len());
        let mut start = 0;
        for parameter in &wanted {
            let at = named.iter().position(|given| given.name == parameter.name);
            let given = at.map(|at| named.swap_remove(at));
            let mut given = given.ok_or_else(|| LayerError::MissingTensor {
                layer: "the module",
                name: parameter.name.clone(),
                shape: parameter.shape.clone(),
            })?;
            let len = given.tensor.shape().num_elements();
            if parameter.elements() != Some(len as u64) {
                return Err(LayerError::BadTensor {
                    name: parameter.name.clone(),
                    shape: parameter.shape.clone(),
                    len: len as u64,
                }
                .into());
            }
            given.form.learned = parameter.learned;
            places.push((parameter.name.as_str(), start..start + len));
            start += len;
            ordered.push(given);
        }
        let (y, renewed) = fused::layer(layer, images, x, ordered, packing.0.clone())?;
        for (mark, norm) in norms {
            let (Some(norm), Some(renewed)) = (norm, &renewed) else {
                continue;
            };
            let part = |name: &str| {
                let name = format!("{name}{mark}");
                let place = places.iter().find(|(known, _)| *known == name);
                place.map(|(_, range)| renewed.clone().slice([range.clone()]).detach())
            };
            if let (Some(mean), Some(var)) = (part("running_mean"), part("running_var")) {
                let dtype = FloatDType::from(norm.running_mean.value().dtype());
                norm.running_mean.update(mean.cast(dtype));
                norm.running_var.update(var.cast(dtype));
            }
        }
        Ok(y)
    }
}

/// Whether a layer trains here: on a device with autodiff, unless it is frozen, as burn's batch norm has it.
fn trains(norm: Option<&BatchNorm>, device: &Device) -> bool {
    norm.is_some_and(|norm| device.is_autodiff() && norm.training.is_enabled())
}

fn norm(norm: Option<&BatchNorm>, training: bool) -> Option<layers::BatchNorm> {
    norm.map(|norm| layers::BatchNorm {
        eps: norm.epsilon,
        momentum: norm.momentum,
        training,
    })
}

fn channels(module: &'static str, expected: usize, x: &Tensor<4>) -> Result<(), Error> {
    let shape = x.dims();
    if shape[1] == expected {
        return Ok(());
    }
    Err(Error::Channels {
        module,
        expected,
        found: shape[1],
        shape: shape.to_vec(),
    })
}

/// FReLU, the funnel activation: max(x, T(x)), T a depthwise convolution and a batch norm.
///
/// Ma, Zhang and Sun 2020, arXiv:2007.11824; [`nonlin::layers::Frelu`] has the formulas.
#[derive(Module, Debug)]
pub struct Frelu {
    /// The windows, `[C, 1, kh, kw]`.
    pub weight: Param<Tensor<4>>,
    /// The convolution's bias, `[C]`, if it has one.
    pub bias: Option<Param<Tensor<1>>>,
    /// The norm behind it, if there is one.
    pub norm: Option<BatchNorm>,
    /// The parameters as kernels read them.
    #[module(skip)]
    packing: OwnPacking,
}

/// How to make [`Frelu`].
#[derive(Config, Debug)]
pub struct FreluConfig {
    /// Channels of x.
    pub channels: usize,
    /// The window's height and width, odd and up to 7.
    #[config(default = "[3, 3]")]
    pub kernel_size: [usize; 2],
    /// Whether the convolution has a bias.
    #[config(default = false)]
    pub bias: bool,
    /// Whether a batch norm stands behind the convolution.
    #[config(default = true)]
    pub norm: bool,
    /// What the windows begin at.
    #[config(default = "Initializer::Normal{mean:0.0, std:0.01}")]
    pub initializer: Initializer,
}

impl FreluConfig {
    /// A module whose parameters are on this device.
    pub fn init(&self, device: &Device) -> Frelu {
        let [height, width] = self.kernel_size;
        let zeros = || Initializer::Zeros.init([self.channels], device);
        Frelu {
            weight: self
                .initializer
                .init([self.channels, 1, height, width], device),
            bias: self.bias.then(zeros),
            norm: self
                .norm
                .then(|| BatchNormConfig::new(self.channels).init(device)),
            packing: OwnPacking::default(),
        }
    }
}

impl Frelu {
    /// The values of x, `[N, C, H, W]`.
    ///
    /// # Panics
    /// With what [`Error`] says, where x has other channels, the window is none that nonlin has, or x is on no
    /// device that runs WGSL.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        expect(self.values(x))
    }

    fn values(&self, x: Tensor<4>) -> Result<Tensor<4>, Error> {
        let [expected, _, height, width] = self.weight.shape().dims();
        channels("Frelu", expected, &x)?;
        let device = x.device();
        let training = trains(self.norm.as_ref(), &device);
        let mut named = Named(Vec::new());
        named.put("weight", self.weight.val());
        if let Some(bias) = &self.bias {
            named.put("bias", bias.val());
        }
        named.norm("", self.norm.as_ref(), training, &device);
        let layer = layers::Frelu {
            kernel: (height as u64, width as u64),
            bias: self.bias.is_some(),
            norm: norm(self.norm.as_ref(), training),
            light: false,
        };
        named.apply(layer.into(), x, &self.packing, &[("", self.norm.as_ref())])
    }
}

/// Meta-ACON: ACON-C whose beta two small layers make from each image's means.
///
/// Ma et al. 2021, arXiv:2009.04759; [`nonlin::layers::MetaAcon`] has the formulas.
#[derive(Module, Debug)]
pub struct MetaAcon {
    /// The slope to one side, `[C]`.
    pub p1: Param<Tensor<1>>,
    /// The slope to the other, `[C]`.
    pub p2: Param<Tensor<1>>,
    /// From C means to the hidden values.
    pub fc1: Linear,
    /// From these to C betas.
    pub fc2: Linear,
    /// The norm behind fc1, if there is one.
    pub norm1: Option<BatchNorm>,
    /// The norm behind fc2, if there is one.
    pub norm2: Option<BatchNorm>,
    /// The parameters as kernels read them.
    #[module(skip)]
    packing: OwnPacking,
}

/// How to make [`MetaAcon`].
#[derive(Config, Debug)]
pub struct MetaAconConfig {
    /// Channels of x.
    pub channels: usize,
    /// By what they are divided for the hidden values.
    #[config(default = 16)]
    pub reduction: usize,
    /// How many hidden values there are at least.
    #[config(default = 16)]
    pub minimum: usize,
    /// Whether batch norms stand behind the two layers, as in the authors' code.
    #[config(default = true)]
    pub norm: bool,
    /// What p1 and p2 begin at.
    #[config(default = "Initializer::Normal{mean:0.0, std:1.0}")]
    pub initializer: Initializer,
}

impl MetaAconConfig {
    /// A module whose parameters are on this device.
    ///
    /// # Panics
    /// Where the reduction is zero.
    pub fn init(&self, device: &Device) -> MetaAcon {
        let hidden = self.minimum.max(self.channels / self.reduction);
        let norm = |count| self.norm.then(|| BatchNormConfig::new(count).init(device));
        MetaAcon {
            p1: self.initializer.init([self.channels], device),
            p2: self.initializer.init([self.channels], device),
            fc1: LinearConfig::new(self.channels, hidden).init(device),
            fc2: LinearConfig::new(hidden, self.channels).init(device),
            norm1: norm(hidden),
            norm2: norm(self.channels),
            packing: OwnPacking::default(),
        }
    }
}

impl MetaAcon {
    /// The values of x, `[N, C, H, W]`.
    ///
    /// # Panics
    /// With what [`Error`] says, where x has other channels, or is on no device that runs WGSL.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        expect(self.values(x))
    }

    fn values(&self, x: Tensor<4>) -> Result<Tensor<4>, Error> {
        let [expected, hidden] = self.fc1.weight.shape().dims();
        channels("MetaAcon", expected, &x)?;
        let device = x.device();
        let training = trains(self.norm1.as_ref(), &device);
        let mut named = Named(Vec::new());
        named.put("p1", self.p1.val());
        named.put("p2", self.p2.val());
        named.linear("fc1", &self.fc1);
        named.linear("fc2", &self.fc2);
        named.norm("1", self.norm1.as_ref(), training, &device);
        named.norm("2", self.norm2.as_ref(), training, &device);
        let layer = layers::MetaAcon {
            // The hidden values are as many as fc1 makes, whatever they were made from.
            reduction: expected as u64 + 1,
            minimum: hidden as u64,
            norm: norm(self.norm1.as_ref(), training),
        };
        let norms = [("1", self.norm1.as_ref()), ("2", self.norm2.as_ref())];
        named.apply(layer.into(), x, &self.packing, &norms)
    }
}

/// Who shares a dynamic ReLU's coefficients.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum DynamicReluVariant {
    /// All elements of a sample.
    A,
    /// All elements of a sample's channel.
    B,
    /// As B, with a factor for each place besides.
    C,
}

/// Dynamic ReLU: the largest of K straight lines, whose coefficients two small layers make from each image's
/// means.
///
/// Chen et al. 2020, arXiv:2003.10027; [`nonlin::layers::DynamicRelu`] has the formulas.
#[derive(Module, Debug)]
pub struct DynamicRelu {
    /// From C means to the hidden values.
    pub fc1: Linear,
    /// From these to the coefficients.
    pub fc2: Linear,
    /// Variant C: what makes a logit for each place, `[C]`.
    pub spatial_weight: Option<Param<Tensor<1>>>,
    /// Variant C: what is added to it, `[1]`.
    pub spatial_bias: Option<Param<Tensor<1>>>,
    /// Who shares coefficients.
    #[module(skip)]
    pub variant: DynamicReluVariant,
    /// How many lines there are.
    pub k: usize,
    /// The parameters as kernels read them.
    #[module(skip)]
    packing: OwnPacking,
}

/// How to make [`DynamicRelu`].
#[derive(Config, Debug)]
pub struct DynamicReluConfig {
    /// Channels of x.
    pub channels: usize,
    /// Who shares coefficients.
    #[config(default = "DynamicReluVariant::B")]
    pub variant: DynamicReluVariant,
    /// How many lines there are, 1 to 4.
    #[config(default = 2)]
    pub k: usize,
    /// By what the channels are divided for the hidden values.
    #[config(default = 4)]
    pub reduction: usize,
}

impl DynamicReluConfig {
    /// A module whose parameters are on this device.
    ///
    /// # Panics
    /// Where the reduction is zero.
    pub fn init(&self, device: &Device) -> DynamicRelu {
        let hidden = (self.channels / self.reduction).max(1);
        let is_c = self.variant == DynamicReluVariant::C;
        let sets = match self.variant {
            DynamicReluVariant::A => 1,
            _ => self.channels,
        };
        let spatial = Initializer::KaimingUniform {
            gain: 1.0 / 3.0f64.sqrt(),
            fan_out_only: false,
        };
        DynamicRelu {
            fc1: LinearConfig::new(self.channels, hidden).init(device),
            fc2: LinearConfig::new(hidden, sets * 2 * self.k).init(device),
            spatial_weight: is_c
                .then(|| spatial.init_with([self.channels], Some(self.channels), Some(1), device)),
            spatial_bias: is_c.then(|| Initializer::Zeros.init([1], device)),
            variant: self.variant,
            k: self.k,
            packing: OwnPacking::default(),
        }
    }
}

impl DynamicRelu {
    /// The values of x, `[N, C, H, W]`.
    ///
    /// # Panics
    /// With what [`Error`] says, where x has other channels, K is none that nonlin has, or x is on no device
    /// that runs WGSL.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        expect(self.values(x))
    }

    fn values(&self, x: Tensor<4>) -> Result<Tensor<4>, Error> {
        let [expected, hidden] = self.fc1.weight.shape().dims();
        channels("DynamicRelu", expected, &x)?;
        let mut named = Named(Vec::new());
        named.linear("fc1", &self.fc1);
        named.linear("fc2", &self.fc2);
        if let (Some(weight), Some(bias)) = (&self.spatial_weight, &self.spatial_bias) {
            named.put("spatial_weight", weight.val());
            named.put("spatial_bias", bias.val());
        }
        let layer = layers::DynamicRelu {
            variant: match self.variant {
                DynamicReluVariant::A => layers::Variant::A,
                DynamicReluVariant::B => layers::Variant::B,
                DynamicReluVariant::C => layers::Variant::C,
            },
            k: self.k as u64,
            // That whose quotient is the hidden values that there are.
            reduction: (expected / hidden) as u64,
            ..layers::DynamicRelu::default()
        };
        named.apply(layer.into(), x, &self.packing, &[])
    }
}
