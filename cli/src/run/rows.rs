//! `nonlin run` on chains with a step over whole rows: along which axis these lie, and operands that are broadcast as NumPy
//! has it.

use super::Args;
use crate::arguments::Named;
use crate::npy::{Array, Order, Shape, text};
use crate::{Failure, Result};
use nonlin::{Broadcast, Chain, Element, Function, Layout, Values};
use std::collections::HashMap;

/// Along the last axis, where nothing else is said.
const DEFAULT_AXIS: i64 = -1;

/// Refuses an axis that is said in two ways, or of no use, and the other option for axes.
pub(super) fn refuse(args: &Args, chain: &Chain) -> Result<()> {
    if chain.row().is_none() {
        return match args.axis {
            None => Ok(()),
            Some(_) => Err(Failure(format!(
                "--axis is for chains with a step over whole rows, such as softmax; {chain} has none"
            ))),
        };
    }
    if args.channel_axis.is_some() {
        return Err(Failure(format!(
            "--channel-axis is not for chains with a step over whole rows, such as {chain}: --axis says which axis these lie \
             along, and operands are broadcast as NumPy has it"
        )));
    }
    match args.axis.zip(chain.axis()) {
        Some((asked, told)) if asked != told => Err(Failure(format!(
            "--axis {asked}, but the chain is {chain}, which says axis={told}"
        ))),
        _ => Ok(()),
    }
}

/// How the rows of x lie, and how many there are in a matrix.
fn lines(args: &Args, chain: &Chain, x: &Shape) -> Result<(Layout, u64)> {
    let shape = &x.dimensions;
    let asked = args.axis.or(chain.axis()).unwrap_or(DEFAULT_AXIS);
    let axis = match asked {
        ..0 => (shape.len() as i64).checked_add(asked),
        asked => Some(asked),
    };
    let axis = axis.and_then(|axis| usize::try_from(axis).ok());
    let axis = axis.filter(|axis| *axis < shape.len()).ok_or_else(|| {
        Failure(format!(
            "axis {asked} is out of range: {} has the shape {}, whose ndim is {}",
            args.x.display(),
            text(shape),
            shape.len()
        ))
    })?;
    let is_causal = |step: &nonlin::Step| *step.function() == Function::Causal;
    if chain.steps().iter().any(is_causal) && axis + 1 < shape.len() {
        return Err(Failure(format!(
            "causal masks the columns of matrices, whose rows lie along the last axis; here they lie along axis {axis} of {}",
            text(shape)
        )));
    }
    let layout = Layout::of_shape(shape, axis)
        .ok_or_else(|| Failure(format!("{} has too many elements", args.x.display())))?;
    let before = axis.checked_sub(1);
    Ok((layout, before.map_or(1, |before| shape[before])))
}

/// The chain's operands and where rows lie, added to these values.
pub(super) fn with_operands<'a, T: Element>(
    args: &'a Args,
    chain: &Chain,
    x: &Shape,
    mut values: Values,
    arrays: Vec<(&'a Named, Array<T>)>,
) -> Result<(Values, HashMap<&'a str, Shape>)> {
    let (layout, queries) = lines(args, chain, x)?;
    values = values.layout(layout).queries(queries.max(1));
    let mut shapes = HashMap::new();
    for (Named { name, path }, array) in arrays {
        let shape = &array.shape.dimensions;
        if *shape != x.dimensions {
            let broadcast = Broadcast::of_shapes(&x.dimensions, shape).ok_or_else(|| {
                Failure(format!(
                    "--arg {name}: {} has the shape {}, which NumPy does not broadcast to {} of {}, or to axes with others \
                     between them",
                    path.display(),
                    text(shape),
                    text(&x.dimensions),
                    args.x.display()
                ))
            })?;
            values = values.broadcast(name, broadcast);
        }
        shapes.insert(name.as_str(), array.shape.clone());
        values = values.arg(name, &array.in_order(Order::C).data);
    }
    Ok((values, shapes))
}
