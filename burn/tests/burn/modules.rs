//! Modules: their parameters train, are saved to a file and loaded again, and their configs too.

use crate::common::{Result, Trials, host, multiplies, near, tensor, values, verdict};
use burn::config::Config;
use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use nonlin::{Chain, Values, check};
use nonlin_burn::modules::{
    AconB, AconBConfig, AconC, AconCConfig, Celu, CeluConfig, ChainedConfig, DynamicRelu,
    DynamicReluConfig, DynamicReluVariant, Elu, EluConfig, Frelu, FreluConfig, GluConfig,
    LeakyRelu, LeakyReluConfig, MetaAcon, MetaAconConfig, Prelu, PreluConfig, Rrelu, RreluConfig,
    StarRelu, StarReluConfig, SwiGlu, SwiGluConfig, Swish, SwishConfig, Xielu, XieluConfig,
};
use std::path::PathBuf;

/// One of each kind.
#[derive(Module, Debug)]
struct All {
    prelu: Prelu,
    leaky_relu: LeakyRelu,
    swish: Swish,
    acon_b: AconB,
    acon_c: AconC,
    elu: Elu,
    celu: Celu,
    star_relu: StarRelu,
    xielu: Xielu,
    swiglu: SwiGlu,
}

impl All {
    fn new(channels: usize, device: &Device) -> Self {
        All {
            prelu: PreluConfig::new()
                .with_num_parameters(channels)
                .init(device),
            leaky_relu: LeakyReluConfig::new().init(device),
            swish: SwishConfig::new()
                .with_num_parameters(channels)
                .init(device),
            acon_b: AconBConfig::new().init(device),
            acon_c: AconCConfig::new()
                .with_num_parameters(channels)
                .init(device),
            elu: EluConfig::new().with_alpha(0.7).init(device),
            celu: CeluConfig::new().with_num_parameters(channels).init(device),
            star_relu: StarReluConfig::new().init(device),
            xielu: XieluConfig::new().init(device),
            swiglu: SwiGluConfig::new(channels, channels).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.prelu.forward(x.clone()) + self.leaky_relu.forward(x);
        let x = self.swish.forward(x.clone()) + self.acon_b.forward(x);
        let x = self.acon_c.forward(x.clone()) + self.elu.forward(x);
        let x = self.celu.forward(x.clone()) + self.star_relu.forward(x * 0.1);
        self.swiglu.forward(self.xielu.forward(x * 0.1))
    }
}

/// One of each kind that has layers inside, for images.
#[derive(Module, Debug)]
struct OfImages {
    frelu: Frelu,
    meta_acon: MetaAcon,
    dynamic_relu: DynamicRelu,
}

impl OfImages {
    fn new(channels: usize, device: &Device) -> Self {
        OfImages {
            frelu: FreluConfig::new(channels).init(device),
            meta_acon: MetaAconConfig::new(channels).init(device),
            dynamic_relu: DynamicReluConfig::new(channels)
                .with_variant(DynamicReluVariant::C)
                .init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.meta_acon.forward(self.frelu.forward(x));
        self.dynamic_relu.forward(x)
    }
}

/// A file in the temporary folder that is gone when this is.
struct Passing(PathBuf);

impl Passing {
    fn new(adapter: &str, name: &str) -> Self {
        let name = format!("nonlin-burn-{}-{adapter}-{name}", std::process::id());
        Passing(std::env::temp_dir().join(name))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.0);
    }
}

/// A step of an optimiser moves every parameter, and makes the loss smaller.
fn train(device: &Device) -> Result {
    let device = device.clone().autodiff();
    device.seed(3);
    let module = All::new(6, &device);
    let x: Tensor<2> = tensor(&values(30, 1), [5, 6], &device);
    let loss = |module: &All| module.forward(x.clone()).powf_scalar(2.0).mean();
    let before = loss(&module);
    let was = module.clone();
    let gradients = GradientsParams::from_grads(before.backward(), &module);
    let module = SgdConfig::new().init().step(1e-3, module, gradients);
    let (before, after) = (host(before.inner())?[0], host(loss(&module).inner())?[0]);
    if after >= before || after.is_nan() {
        return Err(format!("the loss went from {before} to {after}").into());
    }
    let moved = |name: &str, was: Tensor<1>, is: Tensor<1>| -> Result {
        match host(was.inner())? == host(is.inner())? {
            true => Err(format!("{name} did not move").into()),
            false => Ok(()),
        }
    };
    let (a, b) = (&was, &module);
    moved("prelu", a.prelu.weight.val(), b.prelu.weight.val())?;
    moved(
        "slope",
        a.leaky_relu.negative_slope.val(),
        b.leaky_relu.negative_slope.val(),
    )?;
    moved("swish", a.swish.beta.val(), b.swish.beta.val())?;
    moved("acon_b.p", a.acon_b.p.val(), b.acon_b.p.val())?;
    moved("acon_b.beta", a.acon_b.beta.val(), b.acon_b.beta.val())?;
    moved("acon_c.p1", a.acon_c.p1.val(), b.acon_c.p1.val())?;
    moved("acon_c.p2", a.acon_c.p2.val(), b.acon_c.p2.val())?;
    moved("acon_c.beta", a.acon_c.beta.val(), b.acon_c.beta.val())?;
    moved("elu", a.elu.alpha.val(), b.elu.alpha.val())?;
    moved("celu", a.celu.alpha.val(), b.celu.alpha.val())?;
    moved(
        "star_relu.scale",
        a.star_relu.scale.val(),
        b.star_relu.scale.val(),
    )?;
    moved(
        "star_relu.bias",
        a.star_relu.bias.val(),
        b.star_relu.bias.val(),
    )?;
    moved(
        "xielu.alpha_p",
        a.xielu.alpha_p.val(),
        b.xielu.alpha_p.val(),
    )?;
    moved(
        "xielu.alpha_n",
        a.xielu.alpha_n.val(),
        b.xielu.alpha_n.val(),
    )
}

/// What is saved and loaded computes what it did, in a module that began elsewhere.
fn record<M: Module, const D: usize>(
    device: &Device,
    file: &Passing,
    new: impl Fn(&Device) -> M,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<D>,
    shape: [usize; D],
) -> Result {
    device.seed(5);
    let module = new(device);
    let x: Tensor<D> = tensor(&values(shape.iter().product(), 1), shape, device);
    let want = host(forward(&module, x.clone()))?;
    module.save_file(&file.0)?;
    device.seed(6);
    let other = new(device);
    if host(forward(&other, x.clone()))? == want {
        return Err("the other module is the same one".into());
    }
    let loaded = other.try_load_file(&file.0)?;
    match host(forward(&loaded, x))? == want {
        true => Ok(()),
        false => Err("what was loaded computes something else".into()),
    }
}

/// A record of burn's own SwiGLU is a record of ours.
fn burns_record(device: &Device) -> Result {
    let burns = burn::nn::SwiGluConfig::new(6, 4)
        .with_bias(true)
        .init(device);
    let x: Tensor<2> = tensor(&values(30, 1), [5, 6], device);
    let want = host(burns.forward(x.clone()))?;
    let ours = SwiGluConfig::new(6, 4).with_bias(true).init(device);
    let ours = ours.try_load_record(burns.into_record())?;
    near("y", &host(ours.forward(x))?, &want, 1e-5)
}

/// Configs are saved and loaded as burn's are.
fn config(adapter: &str) -> Result {
    let file = Passing::new(adapter, "config.json");
    let config = AconCConfig::new().with_num_parameters(7).with_p2(0.125);
    config.save(&file.0)?;
    let loaded = AconCConfig::load(&file.0)?;
    match (loaded.num_parameters, loaded.p2, loaded.p1) {
        (7, 0.125, 1.0) => Ok(()),
        _ => Err(format!("{loaded}").into()),
    }
}

/// Modules without parameters.
fn plain(device: &Device) -> Result {
    let x: Tensor<3> = tensor(&values(48, 1), [2, 3, 8], device);
    let chained = ChainedConfig::new("scale(0.5) | silu".into()).init()?;
    let want = nonlin_burn::activation(&"scale(0.5) | silu".parse()?, x.clone())?;
    near(
        "chained",
        &host(chained.forward(x.clone()))?,
        &host(want)?,
        0.0,
    )?;
    let glu = GluConfig::new().with_chain("gelu".into()).init()?;
    let part = |range| x.clone().slice_dim(2, range);
    let want = nonlin_burn::functions::gelu(part(0..4)) * part(4..8);
    near("glu", &host(glu.forward(x.clone()))?, &host(want)?, 1e-6)
}

/// A call of the module beside the f64 reference of the chain, in value and gradient.
fn rrelu_is(device: &Device, module: &Rrelu, chain: &str, call: u64) -> Result {
    let chain: Chain = chain.parse()?;
    let (xs, dys) = (values(2000, 1), values(2000, 2));
    let told = Values::new().random(5, call);
    let x: Tensor<2> = tensor(&xs, [50, 40], device).require_grad();
    let y = module.forward(x.clone());
    let expected = check::Expected::forward_with(&chain, &xs, &told)?;
    verdict("y", &expected.compare(&host(y.clone().inner())?)?)?;
    let gradients = (y * tensor(&dys, [50, 40], device)).sum().backward();
    let dx = host(x.grad(&gradients).ok_or("x has a gradient")?)?;
    let expected = check::Expected::backward_with(&chain, &xs, &dys, &told)?;
    verdict("dx", &expected.compare(&dx)?)
}

/// Slopes are drawn anew at each call while the module trains; elsewhere all are the mean.
fn rrelu(device: &Device) -> Result {
    let trains = device.clone().autodiff();
    let module = RreluConfig::new()
        .with_lower(0.25)
        .with_upper(0.75)
        .with_seed(5)
        .init()?;
    let (drawn, mean) = ("rrelu(0.25, 0.75)", "leaky_relu(0.5)");
    rrelu_is(&trains, &module, drawn, 0)?;
    rrelu_is(&trains, &module.clone(), drawn, 1)?;
    rrelu_is(&trains, &module, drawn, 2)?;
    if rrelu_is(&trains, &module, drawn, 2).is_ok() {
        return Err("the fourth call drew what the third had drawn".into());
    }
    rrelu_is(&trains, &module.clone().freeze(), mean, 0)?;
    let x: Tensor<1> = tensor(&[-2.0, 3.0], [2], device);
    near("evaluated", &host(module.forward(x))?, &[-1.0, 3.0], 0.0)?;
    match RreluConfig::new().with_lower(0.5).init() {
        Err(error) if error.to_string().contains("upper") => Ok(()),
        other => Err(format!("slopes from 0.5 to 1/3: {other:?}").into()),
    }
}

pub(crate) fn add(on: &mut Trials) {
    let adapter = on.adapter().to_owned();
    if multiplies(&adapter) {
        on.add("modules::train", train);
        let name = adapter.clone();
        on.add("modules::record", move |device| {
            let file = Passing::new(&name, "modules.bpk");
            record(device, &file, |d| All::new(6, d), All::forward, [5, 6])
        });
    }
    let name = adapter.clone();
    on.add("modules::record_of_images", move |device| {
        let file = Passing::new(&name, "images.bpk");
        let new = |device: &Device| OfImages::new(6, device);
        record(device, &file, new, OfImages::forward, [2, 6, 5, 4])
    });
    on.add("modules::burns_record", burns_record);
    on.add("modules::config", move |_| config(&adapter));
    on.add("modules::plain", plain);
    on.add("modules::rrelu", rrelu);
}
