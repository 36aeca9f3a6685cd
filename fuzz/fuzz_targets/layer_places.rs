//! Layers' operands at any place, for images of any shape, layers with any settings, and devices with any limits.

#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use nonlin::layers::{BatchNorm, DynamicRelu, Frelu, Images, Layer, MetaAcon, Order, Variant};
use nonlin::{DType, DTypes, LayerOperands, Limits, Operand, Pass, Recipe};
use nonlin_fuzz::places::{Memories, dtype_of, dtypes, limits, number, pass, seldom};

#[derive(Debug)]
struct Case {
    layer: Layer,
    images: Images,
    pass: Pass,
    dtypes: DTypes,
    operands: LayerOperands<'static>,
    outputs: Vec<Operand<'static>>,
    memories: Memories,
    limits: Limits,
}

/// One that has a meaning, most often.
fn float(from: &mut Unstructured<'_>) -> Result<f64> {
    if seldom(from, 8)? {
        return from.arbitrary();
    }
    from.choose(&[0.5, 0.0, 1e-5, 0.1, 1.0, 10.0]).copied()
}

/// A small one, most often.
fn length(from: &mut Unstructured<'_>) -> Result<u64> {
    match seldom(from, 4)? {
        true => number(from),
        false => from.int_in_range(1..=40),
    }
}

fn norm(from: &mut Unstructured<'_>) -> Result<Option<BatchNorm>> {
    let norm = BatchNorm {
        eps: float(from)?,
        momentum: float(from)?,
        training: from.arbitrary()?,
    };
    Ok((!seldom(from, 4)?).then_some(norm))
}

fn layer(from: &mut Unstructured<'_>) -> Result<Layer> {
    Ok(match from.int_in_range(0..=2)? {
        0 => {
            let side = |from: &mut Unstructured<'_>| match seldom(from, 16)? {
                true => number(from),
                false => from.choose(&[1, 3, 5, 7]).copied(),
            };
            let layer = Frelu {
                kernel: (side(from)?, side(from)?),
                bias: from.arbitrary()?,
                light: from.arbitrary()?,
                norm: norm(from)?,
            };
            layer.into()
        }
        1 => {
            let layer = MetaAcon {
                reduction: length(from)?,
                minimum: length(from)?,
                norm: norm(from)?,
            };
            layer.into()
        }
        _ => {
            let coefficients = |from: &mut Unstructured<'_>| {
                let count = from.int_in_range(0..=2)?;
                (0..count).map(|_| float(from)).collect::<Result<Vec<_>>>()
            };
            let layer = DynamicRelu {
                variant: *from.choose(&Variant::ALL)?,
                k: from.int_in_range(1..=5)?,
                reduction: length(from)?,
                lambda_slope: float(from)?,
                lambda_intercept: float(from)?,
                initial_slopes: coefficients(from)?,
                initial_intercepts: coefficients(from)?,
                temperature: float(from)?,
                gamma: match from.arbitrary()? {
                    true => Some(float(from)?),
                    false => None,
                },
            };
            layer.into()
        }
    })
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Self> {
        let layer = layer(from)?;
        let (pass, dtypes, limits) = (pass(from)?, dtypes(from)?, limits(from)?);
        let images = Images {
            samples: length(from)?,
            channels: length(from)?,
            height: length(from)?,
            width: length(from)?,
            order: *from.choose(&Order::ALL)?,
        };
        // Where there are none for such images, others are as good.
        let elements = images.elements().unwrap_or(7);
        let listed = layer.parameters(&images).unwrap_or_default();
        let lengths = listed.iter().map(|p| p.elements().unwrap_or(u64::MAX));
        let parameters = lengths.fold(0, u64::saturating_add);
        let saved = layer.saved_len(&images).unwrap_or(7);

        let mut memories = Memories::arbitrary(from)?;
        let mut operands = LayerOperands::new();
        let mut outputs = Vec::new();
        for name in [
            "x",
            "y",
            "dy",
            "dx",
            "parameters",
            "gradients",
            "saved",
            "scratch",
        ] {
            let is_forward = pass == Pass::Forward;
            let (len, is_needed, is_written) = match name {
                "x" => (elements, true, false),
                "y" => (elements, is_forward, true),
                "dy" => (elements, !is_forward, false),
                "dx" => (elements, !is_forward, true),
                "parameters" => (parameters, true, is_forward && layer.trains()),
                "gradients" => (parameters, !is_forward, true),
                "saved" => (saved, saved > 0, is_forward),
                _ => (number(from)?, false, true),
            };
            // Now and then one too many, or too few.
            if is_needed == seldom(from, 32)? {
                continue;
            }
            let dtype = match name {
                "x" | "y" | "dy" | "dx" => dtype_of(dtypes, name),
                _ => DType::F32,
            };
            let operand = memories.operand(from, len, dtype)?;
            operands = match name {
                "x" => operands.x(operand),
                "y" => operands.y(operand),
                "dy" => operands.dy(operand),
                "dx" => operands.dx(operand),
                "parameters" => operands.parameters(operand),
                "gradients" => operands.gradients(operand),
                "saved" => operands.saved(operand),
                _ => operands.scratch(operand),
            };
            if is_written {
                outputs.push(operand);
            }
        }
        Ok(Case {
            layer,
            images,
            pass,
            dtypes,
            operands,
            outputs,
            memories,
            limits,
        })
    }
}

libfuzzer_sys::fuzz_target!(|case: Case| {
    let Case {
        layer,
        images,
        pass,
        dtypes,
        operands,
        limits,
        ..
    } = &case;
    match Recipe::layer(layer, images, *pass, *dtypes, operands, limits) {
        Ok(recipe) => case.memories.check(&recipe, limits, &case.outputs),
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});
