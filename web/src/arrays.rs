//! Arrays, as JavaScript holds them.

use crate::Result;
use crate::options::Options;
use nonlin::half::{bf16, f16};
use nonlin::{Chain, DType, Element, Values};
use wasm_bindgen::prelude::*;

/// What is called so in an object; none where there is nothing.
pub(crate) fn named(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = js_sys::Reflect::get(object, &name.into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// Numbers as f32, which has every f16 and bf16; those come as their bits. So all that follows is compiled for one type:
/// only where a result is compared does its own dtype matter.
fn numbers(name: &str, value: &JsValue, dtype: DType) -> Result<Vec<f32>> {
    if dtype == DType::F32 {
        if !value.is_instance_of::<js_sys::Float32Array>() && !js_sys::Array::is_array(value) {
            let message = format!("{name} must be a Float32Array or an array of numbers");
            return Err(JsError::new(&message));
        }
        return Ok(js_sys::Float32Array::new(value).to_vec());
    }
    let Some(bits) = value.dyn_ref::<js_sys::Uint16Array>() else {
        let message = format!("{name} must be a Uint16Array: the bits of {dtype}");
        return Err(JsError::new(&message));
    };
    let of_bits = |bits| match dtype {
        DType::F16 => f16::from_bits(bits).to_f32(),
        _ => bf16::from_bits(bits).to_f32(),
    };
    Ok(bits.to_vec().into_iter().map(of_bits).collect())
}

/// Numbers of a dtype that were made f32, as they were.
pub(crate) fn narrowed<T: Element>(numbers: &[f32]) -> Vec<T> {
    let narrowed = |number: &f32| T::from_f64(f64::from(*number));
    numbers.iter().map(narrowed).collect()
}

/// An array by its name.
pub(crate) fn array(object: &JsValue, name: &str, dtype: DType) -> Result<Option<Vec<f32>>> {
    named(object, name)
        .map(|value| numbers(name, &value, dtype))
        .transpose()
}

/// An array that there has to be.
pub(crate) fn needed(object: &JsValue, name: &str, dtype: DType) -> Result<Vec<f32>> {
    let missing = || JsError::new(&format!("there is no {name}"));
    array(object, name, dtype)?.ok_or_else(missing)
}

/// Puts numbers into an object.
pub(crate) fn put(object: &js_sys::Object, name: &str, numbers: &[f64]) -> Result<()> {
    put_value(object, name, &js_sys::Float64Array::from(numbers))
}

pub(crate) fn put_value(object: &js_sys::Object, name: &str, value: &JsValue) -> Result<()> {
    let set = js_sys::Reflect::set(object, &name.into(), value);
    set.map_err(|value| JsError::new(&format!("{value:?}")))?;
    Ok(())
}

/// What a chain is evaluated on.
pub(crate) struct Tensors {
    pub(crate) x: Vec<f32>,
    pub(crate) dy: Option<Vec<f32>>,
    pub(crate) values: Values,
}

impl Tensors {
    pub(crate) fn read(chain: &Chain, arrays: &JsValue, options: &Options) -> Result<Self> {
        let x = needed(arrays, "x", options.dtype())?;
        let [seed, offset] = options.random()?;
        let mut values = Values::new().random(seed, offset);
        if let Some(layout) = options.layout(chain)? {
            values = values.layout(layout);
        }
        if let Some(rows) = options.queries()? {
            values = values.queries(rows);
        }
        for name in chain.operands() {
            let missing =
                || JsError::new(&format!("there is no array {name}, which the chain needs"));
            let value = named(arrays, name).ok_or_else(missing)?;
            let dtype = match options.operands.contains_key(name) {
                true => options.operand(name)?.1,
                false => DType::F32,
            };
            values = values.arg(name, &numbers(name, &value, dtype)?);
            if let Some(broadcast) = options.broadcast(name)? {
                values = values.broadcast(name, broadcast);
            }
        }
        Ok(Tensors {
            x,
            dy: array(arrays, "dy", options.dtype())?,
            values,
        })
    }

    /// The gradient of y, for what is compared.
    pub(crate) fn dy(&self, compared: &str) -> Result<&[f32]> {
        let missing = || JsError::new(&format!("{compared} is compared, but there is no dy"));
        self.dy.as_deref().ok_or_else(missing)
    }
}

/// The gradients of operands among results, which are f32.
pub(crate) fn gradients_of(chain: &Chain, results: &JsValue) -> Result<Vec<(String, Vec<f32>)>> {
    let Some(gradients) = named(results, "gradients") else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for name in chain.operands() {
        if let Some(got) = array(&gradients, name, DType::F32)? {
            found.push((name.to_owned(), got));
        }
    }
    Ok(found)
}
