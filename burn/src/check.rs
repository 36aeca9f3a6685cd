//! Can a pass be had of tensors of such shapes? Asked before anything is queued, since what is queued has nobody to tell.

use crate::Error;
use crate::call::{ChainCall, LayerCall, Wants, Whose};
use crate::cube::{self, Described};
use crate::recipes::DeviceLimits;
use burn::tensor::{DType as BurnDType, Shape};
use nonlin::{DType, Pass};

/// A tensor that need not be there yet.
pub(crate) type Spec = (Shape, BurnDType);

/// Passes of a chain of x and its operands, and those of their gradients that are wanted.
pub(crate) fn chain(
    device: DeviceLimits,
    call: &ChainCall,
    passes: &[(Pass, Wants)],
    x: &Spec,
    operands: &[Spec],
) -> Result<(), Error> {
    let mut described = vec![Described::counted(elements(x), dtype("x", x)?)];
    for (name, operand) in call.chain.operands().iter().zip(operands) {
        let label = format!("@{name}");
        let (own, whose) = (&operand.0, call.whose(&x.0, &operand.0));
        let is_each = own.num_elements() == x.0.num_elements();
        if is_each && !same_but_for_ones(own, &x.0) || whose == Whose::Unknown {
            return Err(Error::Shape {
                operand: label,
                shape: own.as_slice().to_vec(),
                x: x.0.as_slice().to_vec(),
            });
        }
        described.push(Described {
            len: elements(operand),
            dtype: dtype(&label, operand)?,
            whose,
        });
    }
    Ok(cube::check_chain(device, call, &x.0, &described, passes)?)
}

/// A gated chain of a packed tensor, and its gradient.
pub(crate) fn gated(device: DeviceLimits, call: &ChainCall, packed: &Spec) -> Result<(), Error> {
    let halves = Shape::from([packed.0.num_elements() / 2]);
    let described = [Described::counted(elements(packed) / 2, dtype("x", packed)?); 2];
    let passes = [
        (Pass::Forward, Wants::of([])),
        (Pass::Backward, Wants::of([true, true])),
    ];
    Ok(cube::check_chain(
        device, call, &halves, &described, &passes,
    )?)
}

/// Both passes of a layer.
pub(crate) fn layer(
    device: DeviceLimits,
    call: &LayerCall,
    x: &Spec,
    parameters: &[Spec],
) -> Result<(), Error> {
    let count = parameters.iter().map(elements).sum();
    Ok(cube::check_layer(device, call, dtype("x", x)?, count)?)
}

fn elements(spec: &Spec) -> u64 {
    spec.0.num_elements() as u64
}

fn dtype(operand: &str, spec: &Spec) -> Result<DType, Error> {
    cube::dtype(spec.1).ok_or_else(|| Error::DType {
        operand: operand.to_owned(),
        dtype: spec.1,
    })
}

/// Whether two shapes differ in axes of length 1 alone.
fn same_but_for_ones(own: &Shape, x: &Shape) -> bool {
    let longer = |shape: &Shape| -> Vec<usize> {
        let lengths = shape.as_slice().iter().copied();
        lengths.filter(|length| *length != 1).collect()
    };
    longer(own) == longer(x)
}
