//! What layers are on the GPU: a program of a few kernels over one set of buffers.
//!
//! A program's text depends on structure alone; lengths, places and settings are numbers in one uniform.

mod dynamic_relu;
mod funnel;
mod meta_acon;
mod phases;
mod pooled;
mod program;

pub(crate) use program::{Buffer, Form, Program, Stage};

use super::{Frelu, Images, Layer, Order};
use crate::error::{DeviceError, Error};
use crate::pass::Pass;
use crate::tensor::dtype::{DType, DTypes};
use crate::wgsl::Access;

/// What kernels that divide can count to.
const COUNTABLE: u64 = 1 << 31;

/// Lengths as kernels know them.
#[derive(Clone, Copy)]
struct Sizes {
    samples: u64,
    channels: u64,
    height: u64,
    width: u64,
    places: u64,
}

impl Sizes {
    fn new(images: &Images) -> Result<Self, Error> {
        let elements = images.elements()?;
        if elements >= COUNTABLE {
            return Err(Error::Device(DeviceError::TooLarge {
                what: "x, for a layer,".into(),
                bytes: elements.saturating_mul(DType::F32.size()),
                limit: COUNTABLE * DType::F32.size(),
            }));
        }
        Ok(Sizes {
            samples: images.samples,
            channels: images.channels,
            height: images.height,
            width: images.width,
            places: images.height * images.width,
        })
    }

    /// Refuses small layers, with so many values between them and behind them, that kernels cannot count.
    fn check_small(&self, narrow: u64, outputs: u64) -> Result<(), Error> {
        let weights = narrow.saturating_mul(outputs.max(self.channels));
        let values = narrow.saturating_mul(self.samples);
        let most = weights.max(values);
        if most < COUNTABLE {
            return Ok(());
        }
        Err(Error::Device(DeviceError::TooLarge {
            what: "a small layer".into(),
            bytes: most.saturating_mul(DType::F32.size()),
            limit: COUNTABLE * DType::F32.size(),
        }))
    }
}

/// Whether words of four elements lie in one plane (NCHW), or are channels of one place (NHWC).
fn is_whole(images: &Images) -> bool {
    match images.order {
        Order::Nchw => (images.height * images.width).is_multiple_of(4),
        Order::Nhwc => images.channels.is_multiple_of(4),
    }
}

impl Layer {
    /// Elements of what a forward pass on the GPU leaves for backward, f32; zero where it leaves nothing.
    ///
    /// # Errors
    /// As [`parameters`](Self::parameters); [`DeviceError::TooLarge`] for 2^31 elements and more.
    pub fn saved_len(&self, images: &Images) -> Result<u64, Error> {
        // Only settings that have a meaning can be counted with.
        self.parameters(images)?;
        let sizes = Sizes::new(images)?;
        match self {
            Layer::Frelu(layer) => Ok(layer.saved_len(sizes)),
            Layer::MetaAcon(layer) => layer.saved_len(sizes),
            Layer::DynamicRelu(layer) => layer.saved_len(sizes),
        }
    }

    fn program(&self, form: &Form) -> Result<Program, Error> {
        match self {
            Layer::Frelu(layer) => layer.on_gpu(form),
            Layer::MetaAcon(layer) => layer.on_gpu(form),
            Layer::DynamicRelu(layer) => layer.on_gpu(form),
        }
    }
}

impl Frelu {
    /// A mean and an inverse deviation for each channel of each convolution, of the batch that a norm trains on.
    fn saved_len(&self, sizes: Sizes) -> u64 {
        match self.norm {
            Some(norm) if norm.training => 2 * sizes.channels * self.windows().len() as u64,
            _ => 0,
        }
    }
}

/// A layer's programs: for operands at any place, and for operands at the best of places, if the shape allows such.
pub(crate) fn programs(
    layer: &Layer,
    images: &Images,
    pass: Pass,
    dtypes: DTypes,
) -> Result<[Program; 2], Error> {
    let program = |access| {
        layer.program(&Form {
            images: *images,
            pass,
            dtypes,
            access,
        })
    };
    let any = program(Access::Scalar)?;
    let best = if is_whole(images) {
        program(Access::Vec4)?
    } else {
        any.clone()
    };
    Ok([any, best])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{BatchNorm, DynamicRelu, MetaAcon, Variant};
    use crate::wgsl::tests::{tint, translate};

    fn every_form(layer: &Layer, images: Images) {
        let mixed = DTypes {
            x: DType::F16,
            y: DType::F32,
            dy: DType::BF16,
            dx: DType::F16,
        };
        for pass in Pass::FROM_X {
            for (access, dtypes) in [
                (Access::Vec4, DType::F32.into()),
                (Access::Vec4, mixed),
                (Access::Scalar, mixed),
            ] {
                let form = Form {
                    images,
                    pass,
                    dtypes,
                    access,
                };
                for stage in layer.program(&form).unwrap().stages {
                    let texts = [stage.text.clone(), stage.in_one_buffer()];
                    // In one buffer, only the modes of access differ.
                    let texts = &texts[..if dtypes == mixed { 1 } else { 2 }];
                    for text in texts {
                        assert!(!text.contains("override "), "{}", stage.label);
                        translate(text);
                        tint(text);
                    }
                }
            }
        }
    }

    /// Layers of all structures: every norm, both kinds of windows, every variant.
    fn every_layer() -> Vec<Layer> {
        let mut all: Vec<Layer> = Vec::new();
        let training = BatchNorm {
            training: true,
            ..BatchNorm::default()
        };
        for norm in [None, Some(BatchNorm::default()), Some(training)] {
            for light in [false, true] {
                let frelu = Frelu {
                    norm,
                    light,
                    bias: true,
                    ..Frelu::default()
                };
                all.push(frelu.into());
            }
            let meta_acon = MetaAcon {
                norm,
                ..MetaAcon::default()
            };
            all.push(meta_acon.into());
        }
        for variant in Variant::ALL {
            for k in [1, 4] {
                let dynamic_relu = DynamicRelu {
                    variant,
                    k,
                    ..DynamicRelu::default()
                };
                all.push(dynamic_relu.into());
            }
        }
        all
    }

    #[test]
    fn every_layer_translates_in_every_form_of_nchw() {
        let images = Images::nchw(2, 8, 4, 8);
        every_layer()
            .iter()
            .for_each(|layer| every_form(layer, images));
    }

    #[test]
    fn every_layer_translates_in_every_form_of_nhwc() {
        let images = Images::nhwc(2, 4, 8, 8);
        every_layer()
            .iter()
            .for_each(|layer| every_form(layer, images));
    }

    /// What is counted is what both programs of both passes have room for.
    #[test]
    fn what_is_saved_is_counted() {
        let shapes = [
            Images::nchw(3, 8, 20, 20),
            Images::nhwc(3, 20, 20, 8),
            Images::nchw(2, 70, 3, 43),
            Images::nhwc(2, 3, 43, 35),
            Images::nchw(2, 1, 1, 1),
        ];
        for layer in every_layer() {
            for images in shapes {
                for pass in Pass::FROM_X {
                    let programs = programs(&layer, &images, pass, DType::F16.into()).unwrap();
                    let saved = programs.each_ref().map(|p| p.elements(Buffer::Saved));
                    let counted = layer.saved_len(&images).unwrap();
                    assert_eq!(Some(&counted), saved.iter().max(), "{layer} {images:?}");
                }
            }
        }
    }
}
