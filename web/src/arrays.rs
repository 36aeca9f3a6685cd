//! Arrays, as JavaScript holds them.

use crate::Result;
use crate::options::Options;
use nonlin::{Chain, DType, Element, Values};
use wasm_bindgen::prelude::*;

/// What is called so in an object; none where there is nothing.
fn named(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = js_sys::Reflect::get(object, &name.into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// Numbers as an array of f32, or f16 and bf16 as one of their bits.
fn elements<T: Element>(name: &str, value: &JsValue) -> Result<Vec<T>> {
    if T::DTYPE == DType::F32 {
        if !value.is_instance_of::<js_sys::Float32Array>() && !js_sys::Array::is_array(value) {
            let message = format!("{name} must be a Float32Array or an array of numbers");
            return Err(JsError::new(&message));
        }
        let numbers = js_sys::Float32Array::new(value).to_vec();
        return Ok(as_elements(&numbers));
    }
    let Some(bits) = value.dyn_ref::<js_sys::Uint16Array>() else {
        let message = format!("{name} must be a Uint16Array: the bits of {}", T::DTYPE);
        return Err(JsError::new(&message));
    };
    Ok(as_elements(&bits.to_vec()))
}

/// The same numbers, as the type that the dtype says they are.
fn as_elements<A: bytemuck::Pod, T: Element>(from: &[A]) -> Vec<T> {
    bytemuck::cast_slice(from).to_vec()
}

/// An array by its name.
pub(crate) fn array<T: Element>(object: &JsValue, name: &str) -> Result<Option<Vec<T>>> {
    named(object, name)
        .map(|value| elements(name, &value))
        .transpose()
}

/// What a chain is evaluated on.
pub(crate) struct Tensors<T> {
    pub(crate) x: Vec<T>,
    pub(crate) dy: Option<Vec<T>>,
    pub(crate) values: Values,
}

pub(crate) fn element_arrays<T: Element>(
    chain: &Chain,
    arrays: &JsValue,
    options: &Options,
) -> Result<Tensors<T>> {
    let x = array(arrays, "x")?.ok_or_else(|| JsError::new("there is no x"))?;
    let [seed, offset] = options.random()?;
    let mut values = Values::new().random(seed, offset);
    if let Some(layout) = options.layout(chain)? {
        values = values.layout(layout);
    }
    if let Some(rows) = options.queries()? {
        values = values.queries(rows);
    }
    for name in chain.operands() {
        let missing = || JsError::new(&format!("there is no array {name}, which the chain needs"));
        let value = named(arrays, name).ok_or_else(missing)?;
        let dtype = match options.operands.contains_key(name) {
            true => options.operand(name)?.1,
            false => DType::F32,
        };
        values = match dtype {
            DType::F16 => values.arg(name, &elements::<nonlin::half::f16>(name, &value)?),
            DType::BF16 => values.arg(name, &elements::<nonlin::half::bf16>(name, &value)?),
            _ => values.arg(name, &elements::<f32>(name, &value)?),
        };
        if let Some(broadcast) = options.broadcast(name)? {
            values = values.broadcast(name, broadcast);
        }
    }
    Ok(Tensors {
        x,
        dy: array(arrays, "dy")?,
        values,
    })
}

/// The gradients of operands among results, which are f32.
pub(crate) fn gradients_of(chain: &Chain, results: &JsValue) -> Result<Vec<(String, Vec<f32>)>> {
    let Some(gradients) = named(results, "gradients") else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for name in chain.operands() {
        if let Some(got) = array(&gradients, name)? {
            found.push((name.to_owned(), got));
        }
    }
    Ok(found)
}
