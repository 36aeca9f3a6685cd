//! What plans of layers promise, and what they refuse.

use crate::common::upload;
use crate::{TRAINING, layers};
use libtest_mimic::Failed;
use nonlin::layers::{DynamicRelu, Frelu, Images, Layer, MetaAcon, Variant};
use nonlin::{
    ChainError, DType, DeviceError, Error, Gpu, LayerError, LayerOperands, LayerPlan, Operand,
    OperandError, Pass, Rows,
};

fn plan(gpu: &Gpu, layer: &Layer, images: &Images, pass: Pass) -> Result<LayerPlan, Error> {
    gpu.kernels().layer(layer, images, pass, DType::F32)
}

/// As many dispatches as promised, and memory beside the operands of at most a 64th of x; for variant C, which
/// has numbers for each place, that and two of them.
pub(crate) fn dispatches_and_memory(gpu: &Gpu) -> Result<(), Failed> {
    for images in [Images::nchw(16, 64, 56, 56), Images::nhwc(16, 56, 56, 64)] {
        let mut promised = Vec::new();
        for (layer, counts) in
            layers(None)
                .into_iter()
                .zip([[1, 3], [3, 3], [3, 3], [3, 3], [4, 5]])
        {
            promised.push((layer, counts));
        }
        for (layer, counts) in layers(Some(TRAINING)).into_iter().zip([[3, 5], [3, 3]]) {
            promised.push((layer, counts));
        }
        for (layer, counts) in promised {
            let elements = images.elements()?;
            let places = elements / images.channels;
            for (pass, count) in Pass::FROM_X.into_iter().zip(counts) {
                let plan = plan(gpu, &layer, &images, pass)?;
                let spots = match &layer {
                    Layer::DynamicRelu(DynamicRelu {
                        variant: Variant::C,
                        ..
                    }) => 2 * places,
                    _ => 0,
                };
                let memory = plan.saved_len() + plan.scratch_len();
                if plan.dispatches() != count || memory > elements / 64 + spots {
                    return Err(format!(
                        "{layer:?} {pass}: {} dispatches, 1/{} of x",
                        plan.dispatches(),
                        elements / memory.max(1)
                    )
                    .into());
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn typed_errors(gpu: &Gpu) -> Result<(), Failed> {
    let images = Images::nchw(1, 4, 2, 2);
    let layer = Layer::from(MetaAcon::default());
    let kernels = gpu.kernels();
    let forward = kernels.layer(&layer, &images, Pass::Forward, DType::F32)?;
    let buffer = upload(gpu, &vec![0u32; 4096]);
    let at = |offset, len| Operand::new(&buffer, offset, len);
    let whole = || {
        LayerOperands::new()
            .x(at(0, 16))
            .y(at(256, 16))
            .parameters(at(512, forward.parameters_len()))
            .saved(at(4096, forward.saved_len()))
    };
    forward.bind(whole())?;
    let error = |operands| forward.bind(operands).err().ok_or("it was bound");
    let found = [
        matches!(error(whole().x(at(0, 15)))?, Error::Layer(LayerError::BadTensor { name, .. }) if name == "x"),
        matches!(error(whole().saved(at(4096, 1)))?, Error::Layer(LayerError::BadTensor { name, .. }) if name == "saved"),
        matches!(
            error(whole().x(Operand::new(&buffer, 0, 16).rows(Rows { len: 4, stride: 8 })))?,
            Error::Operand(OperandError::Gaps { operand }) if operand == "x"
        ),
        matches!(
            error(whole().y(at(32, 16)))?,
            Error::Operand(OperandError::Overlap { .. })
        ),
        matches!(
            error(whole().y(at(0, 16)))?,
            Error::Operand(OperandError::Overlap { .. })
        ),
        matches!(
            error(whole().y(at(16380, 16)))?,
            Error::Operand(OperandError::OutOfRange { .. })
        ),
        matches!(
            error(whole().y(at(258, 16)))?,
            Error::Operand(OperandError::Misaligned { .. })
        ),
        matches!(
            error(whole().dy(at(1024, 16)))?,
            Error::Operand(OperandError::Unexpected { .. })
        ),
        matches!(
            error(LayerOperands::new().x(at(0, 16)).y(at(256, 16)))?,
            Error::Operand(OperandError::Missing { operand, .. }) if operand == "parameters"
        ),
    ];
    if let Some(index) = found.iter().position(|found| !found) {
        return Err(format!("mistake {index} has another error").into());
    }
    let refused = |images: &Images, pass| kernels.layer(&layer, images, pass, DType::F32).err();
    if !matches!(
        refused(&images, Pass::BackwardFromY),
        Some(Error::Chain(ChainError::NeedsInput { .. }))
    ) {
        return Err("backward from y was planned".into());
    }
    if !matches!(
        refused(&Images::nchw(1 << 20, 4, 64, 64), Pass::Forward),
        Some(Error::Device(DeviceError::TooLarge { .. }))
    ) {
        return Err("2^34 elements were planned".into());
    }
    let one = Layer::from(Frelu {
        norm: Some(TRAINING),
        ..Frelu::default()
    });
    let alone = kernels.layer(&one, &Images::nchw(1, 4, 1, 1), Pass::Forward, DType::F32);
    if !matches!(alone, Err(Error::Layer(LayerError::BadImages { .. }))) {
        return Err("statistics of one value were planned".into());
    }
    Ok(())
}
