//! Every pass, here and there.

use crate::common::{Result, tensor, values};
use crate::{Trial, bits, device, parallel_example, remote_example, same, start};
use burn::tensor::{DType, Device, Tensor};
use nonlin::{Activation, Branch, Chain, Custom};
use nonlin_burn::modules::{
    AttentionWeightsConfig, DynamicReluConfig, FreluConfig, GluConfig, MetaAconConfig,
};
use nonlin_burn::{Error, Fused};

/// The value and all gradients of something of x and three operands, one behind the other.
fn all_of(
    device: &Device,
    dtype: DType,
    of: impl Fn(Tensor<4>, [Tensor<4>; 3]) -> std::result::Result<Tensor<4>, Error>,
) -> Result<Vec<u32>> {
    let device = &device.clone().autodiff();
    let leaf = |shape: [usize; 4], seed| {
        let count = shape.iter().product();
        let numbers: Tensor<4> = tensor(&values(count, seed), shape, device);
        numbers.cast(dtype).require_grad()
    };
    let x = leaf([2, 6, 4, 4], 1);
    let operands = [
        leaf([1, 6, 1, 1], 2),
        leaf([2, 6, 1, 1], 3),
        leaf([2, 6, 4, 4], 4),
    ];
    let y = of(x.clone(), operands.clone())?;
    let weights: Tensor<4> = tensor(&values(y.shape().num_elements(), 5), y.dims(), device);
    let gradients = (y.clone() * weights.cast(dtype)).sum().backward();
    let mut all = bits(y.inner())?;
    for leaf in std::iter::once(x).chain(operands) {
        if let Some(gradient) = leaf.grad(&gradients) {
            all.extend(bits(gradient)?);
        }
    }
    Ok(all)
}

/// The same here and there.
fn compare(
    what: &str,
    [here, there]: [&Device; 2],
    dtype: DType,
    of: impl Fn(Tensor<4>, [Tensor<4>; 3]) -> std::result::Result<Tensor<4>, Error>,
) -> Result {
    let (here, there) = (all_of(here, dtype, &of)?, all_of(there, dtype, &of)?);
    same(what, &there, &here)
}

fn activations(here: &Device, adapter: &str) -> Result {
    let server = start(adapter)?;
    let there = device(&server, 0)?;
    for activation in Activation::ALL {
        let chain = Chain::new().act(*activation);
        compare(activation.name(), [here, &there], DType::F32, |x, _| {
            nonlin_burn::activation(&chain, x)
        })?;
    }
    Ok(())
}

/// A chain by its text, with as many of the operands as it has.
fn chain(
    text: &str,
) -> Result<impl Fn(Tensor<4>, [Tensor<4>; 3]) -> std::result::Result<Tensor<4>, Error>> {
    let chain: Chain = text.parse()?;
    Ok(move |x, operands: [Tensor<4>; 3]| {
        let given = ["a", "b", "c"].into_iter().zip(operands);
        let fused = given
            .filter(|(name, _)| chain.operands().contains(name))
            .fold(
                Fused::new(chain.clone()).random(7, 11),
                |fused, (name, tensor)| fused.operand(name, tensor),
            );
        fused.forward(x)
    })
}

fn chains(here: &Device, adapter: &str) -> Result {
    let server = start(adapter)?;
    let there = device(&server, 0)?;
    for text in [
        "scale(0.1) | silu | scale(3.7)",
        "prelu(weight=@a)",
        "scale(@a) | bias(@b) | swish(beta=0.7) | gate(@c)",
        "acon_c(p1=@a, p2=@b, beta=1.25)",
        "dropout(0.5) | gelu | residual(@c)",
        "silu | gate(@c | clip(-7, 7) | bias(1))",
        "softmax(axis=3)",
        "rms_norm(axis=1) | gate(@c)",
    ] {
        for dtype in [DType::F32, DType::F16] {
            if here.supports_dtype(dtype) && there.supports_dtype(dtype) {
                compare(
                    &format!("{text}, {dtype:?}"),
                    [here, &there],
                    dtype,
                    chain(text)?,
                )?;
            }
        }
    }
    Ok(())
}

/// Backward from y, where the chain alone says so and where it is asked for; and more operands than a byte has bits.
fn from_y(here: &Device, adapter: &str) -> Result {
    let server = start(adapter)?;
    let there = device(&server, 0)?;
    for text in ["leaky_relu(0.25)", "relu6", "tanh", "scale(0.5) | sigmoid"] {
        let chain: Chain = text.parse()?;
        compare(text, [here, &there], DType::F32, |x, _| {
            Fused::new(chain.clone()).keep_y().forward(x)
        })?;
    }
    let names: Vec<String> = (0..9).map(|index| format!("o{index}")).collect();
    let steps: Vec<String> = names.iter().map(|name| format!("bias(@{name})")).collect();
    let many: Chain = steps.join(" | ").parse()?;
    let of = |device: &Device| -> Result<Option<Vec<u32>>> {
        let device = &device.clone().autodiff();
        let x: Tensor<2> = tensor(&values(24, 1), [4, 6], device);
        let last: Tensor<1> = tensor(&values(6, 2), [6], device).require_grad();
        let fused = names.iter().fold(Fused::new(many.clone()), |fused, name| {
            let plain = tensor::<1>(&values(6, 3), [6], device);
            let is_last = *name == names[8];
            fused.operand(name, if is_last { last.clone() } else { plain })
        });
        let y = match fused.forward(x) {
            Ok(y) => y,
            // Here the device is known, and binds fewer.
            Err(Error::Nonlin(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let gradients = y.sum().backward();
        Ok(Some(bits(last.grad(&gradients).ok_or("no gradient")?)?))
    };
    match of(here)? {
        Some(here) => same("nine operands", &of(&there)?.unwrap_or_default(), &here),
        None => Ok(()),
    }
}

/// Activations of the user's own: their text goes along, from branches too.
fn customs(here: &Device, adapter: &str) -> Result {
    let server = start(adapter)?;
    let there = device(&server, 0)?;
    let hill = |width: &str| {
        let wgsl = format!(
            "//#default height = 1.0\nfn act_hill(x: f32, height: f32) -> f32 {{ return height / (1.0 + x * x * {width}); }}"
        );
        Custom::from_value("hill", &wgsl)
    };
    for width in ["1.5", "2.5"] {
        let own = [hill(width)?];
        let plain = Chain::parse_with("scale(2) | hill(height=0.3)", &own)?;
        let compared = compare("custom", [here, &there], DType::F32, |x, _| {
            nonlin_burn::activation(&plain, x)
        });
        compared?;
        let branch = Branch::new("c", Chain::parse_with("hill(height=@a)", &own)?);
        let branched = Chain::new().act(Activation::Silu).gate(branch);
        compare(
            "custom in a branch",
            [here, &there],
            DType::F32,
            |x, [a, _, c]| {
                let fused = Fused::new(branched.clone());
                fused.operand("a", a).operand("c", c).forward(x)
            },
        )?;
    }
    Ok(())
}

fn modules(here: &Device, adapter: &str) -> Result {
    let server = start(adapter)?;
    let there = device(&server, 0)?;
    let both = [here, &there];
    compare("glu", both, DType::F32, |x, _| {
        Ok(GluConfig::new().init()?.forward(x))
    })?;
    compare("attention weights", both, DType::F32, |x, [.., mask]| {
        let weights = AttentionWeightsConfig::new(0.125)
            .with_causal(true)
            .init(&x.device())?;
        Ok(weights.forward(x, Some(mask)))
    })?;
    compare("frelu", both, DType::F32, |x, _| {
        let constant = burn::module::Initializer::Constant { value: 0.1 };
        let config = FreluConfig::new(6).with_initializer(constant);
        Ok(config.init(&x.device()).forward(x))
    })?;
    Ok(())
}

/// Layers whose parameters are drawn, the same ones here and there.
fn layers(here: &Device, adapter: &str) -> Result {
    use burn::module::Module;
    let server = start(adapter)?;
    let there = device(&server, 0)?;
    let (here, there) = (&here.clone().autodiff(), &there.autodiff());
    let meta_acon = MetaAconConfig::new(6).init(here);
    let dynamic = DynamicReluConfig::new(6).init(here);
    let copied = (meta_acon.clone().fork(there), dynamic.clone().fork(there));
    compare("meta_acon", [here, there], DType::F32, |x, _| {
        let is_here = x.device() == *here;
        Ok(if is_here { &meta_acon } else { &copied.0 }.forward(x))
    })?;
    compare("dynamic_relu", [here, there], DType::F32, |x, _| {
        let is_here = x.device() == *here;
        Ok(if is_here { &dynamic } else { &copied.1 }.forward(x))
    })
}

/// A training, on each of two servers in processes of their own, and a tensor that goes from one to the other.
fn training(here: &Device, adapter: &str) -> Result {
    let (one, other) = (start(adapter)?, start(adapter)?);
    let run = |device: &Device| -> Result<Vec<u32>> {
        let trained = remote_example::trained(device, 4).map_err(|error| error.to_string())?;
        Ok(trained.iter().map(|value| value.to_bits()).collect())
    };
    let local = run(here)?;
    let (first, second) = (device(&one, 0)?, device(&other, 0)?);
    same("the first server", &run(&first)?, &local)?;
    same("the second server", &run(&second)?, &local)?;
    let x: Tensor<1> = tensor(&values(1000, 3), [1000], &first);
    let y = nonlin_burn::functions::mish(x.clone()).to_device(&second);
    let y = nonlin_burn::functions::mish(y);
    let local: Tensor<1> = tensor(&values(1000, 3), [1000], here);
    let local = nonlin_burn::functions::mish(nonlin_burn::functions::mish(local));
    same("from server to server", &bits(y)?, &bits(local)?)
}

/// Two servers train a network together: as two devices of this process do, bit for bit.
fn data_parallel(here: &Device, adapter: &str) -> Result {
    let (one, other) = (start(adapter)?, start(adapter)?);
    let remote = [device(&one, 0)?, device(&other, 0)?];
    let there = parallel_example::train(&remote, 6, |_| ()).map_err(|lost| lost.to_string())?;
    let local = [here.clone(), here.clone()];
    let here = parallel_example::train(&local, 6, |_| ()).map_err(|lost| lost.to_string())?;
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    same("losses", &bits(&there.losses), &bits(&here.losses))?;
    for parameters in there.parameters.iter().chain(&here.parameters) {
        same("parameters", &bits(parameters), &bits(&here.parameters[0]))?;
    }
    Ok(())
}

/// The comparison finds the last bit of one element, and one that is missing.
fn teeth(_: &Device, _: &str) -> Result {
    let one = [1.0f32.to_bits(), 2.0f32.to_bits()];
    let other = [1.0f32.to_bits(), 2.0f32.to_bits() + 1];
    same("equal", &one, &one)?;
    match (same("bit", &one, &other), same("length", &one, &one[..1])) {
        (Err(_), Err(_)) => Ok(()),
        _ => Err("a difference was not found".into()),
    }
}

pub(crate) const TRIALS: [(&str, Trial); 9] = [
    ("passes::teeth", teeth),
    ("passes::activations", activations),
    ("passes::chains", chains),
    ("passes::from_y", from_y),
    ("passes::customs", customs),
    ("passes::modules", modules),
    ("passes::layers", layers),
    ("passes::training", training),
    ("passes::data_parallel", data_parallel),
];
