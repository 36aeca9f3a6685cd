//! A layer's parameters as its kernels read them: f32, one behind the other. They are put so once for each change of them.

use crate::call::Form;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, FloatDType, Shape, Slice};
use burn_cubecl::{CubeBackend, tensor::CubeTensor};
use std::sync::{Arc, Mutex, PoisonError};

/// What was put together last, and of what.
#[derive(Debug, Default)]
pub(crate) struct Packing(Mutex<Option<Packed>>);

/// A module's. A clone, as of a module that goes its own way, begins without.
#[derive(Debug, Default)]
pub(crate) struct OwnPacking(pub(crate) Arc<Packing>);

impl Clone for OwnPacking {
    fn clone(&self) -> Self {
        OwnPacking::default()
    }
}

/// A tensor is never changed while somebody else holds it, so as long as these are held, the same memory is the same
/// numbers.
#[derive(Debug)]
struct Packed {
    of: Vec<CubeTensor>,
    parameters: CubeTensor,
    /// Whether the statistics in it are newer than those that it was made of.
    renewed: bool,
}

impl Packing {
    /// The parameters of a pass that only reads them. Whoever has no use for statistics takes renewed ones too.
    pub(crate) fn read(&self, forms: &[Form], of: &[CubeTensor], renewed: bool) -> CubeTensor {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(packed) = &*kept
            && (renewed || !packed.renewed)
            && packed.of.len() == of.len()
            && packed.of.iter().zip(of).all(|(a, b)| is_same(a, b))
        {
            return packed.parameters.clone();
        }
        let parameters = joined(forms, of);
        *kept = Some(Packed {
            of: of.to_vec(),
            parameters: parameters.clone(),
            renewed: false,
        });
        parameters
    }

    /// Keeps parameters whose statistics were renewed.
    pub(crate) fn keep_renewed(&self, of: Vec<CubeTensor>, parameters: CubeTensor) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Packed {
            of,
            parameters,
            renewed: true,
        });
    }
}

/// Whether two tensors are one.
fn is_same(a: &CubeTensor, b: &CubeTensor) -> bool {
    let part = |tensor: &CubeTensor| (tensor.handle.offset_start, tensor.handle.offset_end);
    a.handle.memory.descriptor() == b.handle.memory.descriptor()
        && part(a) == part(b)
        && a.dtype == b.dtype
        && a.meta.shape() == b.meta.shape()
        && a.meta.strides() == b.meta.strides()
}

/// Tensors one behind the other, as f32, in memory of their own unless it is only one.
pub(crate) fn joined(forms: &[Form], of: &[CubeTensor]) -> CubeTensor {
    let flat = |(tensor, form): (&CubeTensor, &Form)| {
        let mut tensor = tensor.clone();
        if form.turned {
            tensor = CubeBackend::float_swap_dims(tensor, 0, 1);
        }
        let len = Shape::from([tensor.meta.shape().num_elements()]);
        CubeBackend::float_cast(CubeBackend::float_reshape(tensor, len), FloatDType::F32)
    };
    let mut parts: Vec<CubeTensor> = of.iter().zip(forms).map(flat).collect();
    match parts.len() {
        1 => burn_cubecl::kernel::into_contiguous(parts.remove(0)),
        _ => CubeBackend::float_cat(parts, 0),
    }
}

/// The parts of the joined gradients that learned parameters have, as these are.
pub(crate) fn parted(forms: &[Form], of: &[CubeTensor], gradients: &CubeTensor) -> Vec<CubeTensor> {
    let mut start = 0;
    let mut parts = Vec::new();
    for (like, form) in of.iter().zip(forms) {
        let mut lengths = like.meta.shape().as_slice().to_vec();
        let range = start..start + lengths.iter().product::<usize>();
        start = range.end;
        if !form.learned {
            continue;
        }
        let part = CubeBackend::float_slice(gradients.clone(), &[Slice::from(range)]);
        if form.turned {
            lengths.swap(0, 1);
        }
        let mut part = CubeBackend::float_reshape(part, lengths.into());
        if form.turned {
            part = CubeBackend::float_swap_dims(part, 0, 1);
        }
        parts.push(match like.dtype {
            DType::F32 => part,
            other => CubeBackend::float_cast(part, other.into()),
        });
    }
    parts
}
