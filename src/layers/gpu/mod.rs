//! What layers are on the GPU: a program of a few kernels over one set of buffers.
//!
//! A program's text depends on structure alone; lengths, places and settings are numbers in one uniform.

mod funnel;
mod pooled;
mod small;
mod text;

pub(crate) use text::{Access, Buffer, Form, Program, Stage};

use super::{Images, Order};
use crate::{DType, Error};

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
pub(crate) fn is_whole(images: &Images) -> bool {
    match images.order {
        Order::Nchw => (images.height * images.width).is_multiple_of(4),
        Order::Nhwc => images.channels.is_multiple_of(4),
    }
}
