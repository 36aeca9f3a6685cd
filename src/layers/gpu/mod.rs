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

use super::sealed::OnGpu;
use super::{Images, Order};
use crate::error::Error;
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
            return Err(Error::TooLarge {
                what: "x, for a layer,".into(),
                bytes: elements.saturating_mul(DType::F32.size()),
                limit: COUNTABLE * DType::F32.size(),
            });
        }
        Ok(Sizes {
            samples: images.samples,
            channels: images.channels,
            height: images.height,
            width: images.width,
            places: images.height * images.width,
        })
    }
}

/// Whether words of four elements lie in one plane (NCHW), or are channels of one place (NHWC).
fn is_whole(images: &Images) -> bool {
    match images.order {
        Order::Nchw => (images.height * images.width).is_multiple_of(4),
        Order::Nhwc => images.channels.is_multiple_of(4),
    }
}

/// A layer's programs: for operands at any place, and for operands at the best of places, if the shape allows such.
pub(crate) fn programs<L: OnGpu>(
    layer: &L,
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

/// Elements of what a layer's forward pass leaves for backward.
pub(crate) fn saved_len<L: OnGpu>(layer: &L, images: &Images) -> Result<u64, Error> {
    let programs = programs(layer, images, Pass::Forward, DType::F32.into())?;
    let lengths = programs
        .iter()
        .map(|program| program.elements(Buffer::Saved));
    Ok(lengths.fold(0, u64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{BatchNorm, DynamicRelu, Frelu, MetaAcon, Variant};
    use crate::wgsl::tests::{tint, translate};

    fn every_form(layer: &dyn OnGpu) {
        let mixed = DTypes {
            x: DType::F16,
            y: DType::F32,
            dy: DType::BF16,
            dx: DType::F16,
        };
        for images in [Images::nchw(2, 8, 4, 8), Images::nhwc(2, 4, 8, 8)] {
            for pass in Pass::FROM_X {
                for (access, dtypes) in [
                    (Access::Vec4, DType::F32.into()),
                    (Access::Vec4, mixed),
                    (Access::Scalar, DType::F32.into()),
                    (Access::Scalar, mixed),
                ] {
                    let form = Form {
                        images,
                        pass,
                        dtypes,
                        access,
                    };
                    for stage in layer.program(&form).unwrap().stages {
                        for text in [&stage.text, &stage.in_one_buffer()] {
                            assert!(!text.contains("override "), "{}", stage.label);
                            translate(text);
                            tint(text);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_layer_translates_in_every_form() {
        let training = BatchNorm {
            training: true,
            ..BatchNorm::default()
        };
        for norm in [None, Some(BatchNorm::default()), Some(training)] {
            for light in [false, true] {
                every_form(&Frelu {
                    norm,
                    light,
                    bias: true,
                    ..Frelu::default()
                });
            }
            every_form(&MetaAcon {
                norm,
                ..MetaAcon::default()
            });
        }
        for variant in [Variant::A, Variant::B, Variant::C] {
            for k in [1, 4] {
                every_form(&DynamicRelu {
                    variant,
                    k,
                    ..DynamicRelu::default()
                });
            }
        }
    }
}
