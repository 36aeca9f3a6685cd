//! Recipes as objects: buffers have names.

use crate::Result;
use crate::layers::Shaped;
use crate::options::Options;
use nonlin::{
    Chain, DType, LayerOperands, Memory, Operand, Operands, Pass, Recipe, RecipeDispatch,
};
use serde::Serialize;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    buffer: String,
    offset: u64,
    size: u64,
    written: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dispatch {
    label: String,
    wgsl: String,
    bindings: Vec<Binding>,
    uniform: Vec<u32>,
    workgroups: [u32; 3],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    dispatches: Vec<Dispatch>,
    scratch_bytes: u64,
    /// Bytes of each buffer.
    buffers: BTreeMap<String, u64>,
}

/// Buffers by name: an operand's memory is its number among them.
#[derive(Default)]
struct Buffers(Vec<(String, u64)>);

impl Buffers {
    /// The operand that fills a buffer of its own, or lies in that of another.
    fn operand(
        &mut self,
        name: &str,
        len: u64,
        dtype: DType,
        options: &Options,
    ) -> Result<Operand<'static>> {
        let own = options.in_place.get(name).map_or(name, String::as_str);
        // Elements go four at a time where there is room for the last ones.
        let room = if options.exact { 4 } else { 16 };
        let bytes = len
            .checked_mul(dtype.size())
            .and_then(|bytes| bytes.checked_next_multiple_of(room));
        let bytes =
            bytes.ok_or_else(|| JsError::new(&format!("{name} has {len} elements, too many")))?;
        let found = self.0.iter().position(|(known, _)| known == own);
        let id = match found {
            Some(id) => id,
            None if own != name => {
                return Err(JsError::new(&format!(
                    "{name} cannot take the place of {own}, which there is not"
                )));
            }
            None => {
                self.0.push((name.to_owned(), bytes.max(room)));
                self.0.len() - 1
            }
        };
        let size = self.0[id].1;
        let memory = Memory::External {
            id: id as u64,
            size,
        };
        Ok(Operand::in_memory(memory, 0, len))
    }

    fn told(self, recipe: &Recipe) -> Told {
        let name = |id: Option<u64>| match id {
            Some(id) => self.0[id as usize].0.clone(),
            None => "scratch".into(),
        };
        let dispatch = |dispatch: &RecipeDispatch| Dispatch {
            label: dispatch.label().into(),
            wgsl: dispatch.wgsl_apart(),
            bindings: dispatch
                .bindings()
                .iter()
                .map(|binding| Binding {
                    buffer: name(binding.id()),
                    offset: binding.offset(),
                    size: binding.size(),
                    written: binding.is_written(),
                })
                .collect(),
            uniform: dispatch.arguments().to_vec(),
            workgroups: dispatch.workgroups(),
        };
        Told {
            dispatches: recipe.dispatches().iter().map(dispatch).collect(),
            scratch_bytes: recipe.scratch_bytes(),
            buffers: self.0.iter().cloned().collect(),
        }
    }
}

pub(crate) fn of_chain(chain: &Chain, pass: Pass, options: &Options) -> Result<Told> {
    let (len, dtype) = (options.len()?, options.dtype());
    let mut buffers = Buffers::default();
    let mut operand = |name: &str, len, dtype| buffers.operand(name, len, dtype, options);
    let [seed, offset] = options.random()?;
    let mut operands = Operands::new().random(seed, offset);
    operands = match pass {
        Pass::Forward => operands
            .x(operand("x", len, dtype)?)
            .y(operand("y", len, dtype)?),
        Pass::Backward => operands
            .x(operand("x", len, dtype)?)
            .dy(operand("dy", len, dtype)?)
            .dx(operand("dx", len, dtype)?),
        Pass::BackwardFromY => operands
            .y(operand("y", len, dtype)?)
            .dy(operand("dy", len, dtype)?)
            .dx(operand("dx", len, dtype)?),
        Pass::DoubleBackward => operands
            .x(operand("x", len, dtype)?)
            .dy(operand("dy", len, dtype)?)
            .ddx(operand("ddx", len, dtype)?)
            .ddy(operand("ddy", len, dtype)?)
            .dx(operand("dx", len, dtype)?),
    };
    if let Some(layout) = options.layout(chain)? {
        operands = operands.layout(layout);
    }
    if let Some(rows) = options.queries()? {
        operands = operands.queries(rows);
    }
    let broadcasts = chain.operands();
    let broadcasts: Vec<_> = broadcasts
        .iter()
        .map(|name| Ok((*name, options.broadcast(name)?)))
        .collect::<Result<_>>()?;
    for (name, broadcast) in broadcasts {
        let (len, dtype) = options.operand(name)?;
        operands = operands.arg(name, operand(&format!("@{name}"), len, dtype)?, dtype);
        if let Some(broadcast) = broadcast {
            operands = operands.broadcast(name, broadcast);
        }
    }
    if pass == Pass::Backward {
        for name in &options.gradients {
            let (len, _) = options.operand(name)?;
            let own = operand(&format!("d@{name}"), len, DType::F32)?;
            operands = operands.grad(name, own, DType::F32);
        }
    }
    let recipe = Recipe::new(chain, pass, dtype, &operands, &options.limits()?)?;
    Ok(buffers.told(&recipe))
}

pub(crate) fn of_layer(text: &str, pass: Pass, options: &Options) -> Result<Told> {
    let shaped = Shaped::new(text, options)?;
    let (len, count, dtype) = (shaped.images.elements()?, shaped.count(), options.dtype());
    let Shaped { layer, images, .. } = &shaped;
    let saved = layer.saved_len(images)?;
    let mut buffers = Buffers::default();
    let mut operand = |name: &str, len, dtype| buffers.operand(name, len, dtype, options);
    let mut operands = LayerOperands::new()
        .x(operand("x", len, dtype)?)
        .parameters(operand("parameters", count, DType::F32)?);
    if saved > 0 {
        operands = operands.saved(operand("saved", saved, DType::F32)?);
    }
    operands = match pass {
        Pass::Forward => operands.y(operand("y", len, dtype)?),
        _ => operands
            .dy(operand("dy", len, dtype)?)
            .dx(operand("dx", len, dtype)?)
            .gradients(operand("gradients", count, DType::F32)?),
    };
    let recipe = Recipe::layer(layer, images, pass, dtype, &operands, &options.limits()?)?;
    Ok(buffers.told(&recipe))
}
