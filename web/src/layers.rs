//! Layers: their parameters, the reference and the checker. Parameters are one array, one behind the other, as they are in
//! the buffers of a recipe; so are their gradients.

use crate::Result;
use crate::arrays::{array, narrowed, needed, put};
use crate::listed::LayerCompared;
use crate::options::Options;
use nonlin::DType;
use nonlin::check::{ExpectedLayer, LayerReport};
use nonlin::half::{bf16, f16};
use nonlin::layers::{Images, Layer, Parameters};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A parameter, and where it lies.
#[derive(Serialize)]
pub(crate) struct Parameter {
    name: String,
    shape: Vec<u64>,
    learned: bool,
    offset: u64,
    length: u64,
}

/// A layer for images of a shape.
pub(crate) struct Shaped {
    pub(crate) layer: Layer,
    pub(crate) images: Images,
    pub(crate) parameters: Vec<Parameter>,
}

impl Shaped {
    pub(crate) fn new(text: &str, options: &Options) -> Result<Self> {
        let layer: Layer = text.parse()?;
        let shape = options.shape()?;
        let [n, c, h, w] = shape[..] else {
            return Err(JsError::new(
                "shape must have four lengths: samples, channels, height and width",
            ));
        };
        let order = options.order.as_deref().unwrap_or("nchw").parse()?;
        let images = Images {
            order,
            ..Images::nchw(n, c, h, w)
        };
        images.elements()?;
        let (mut parameters, mut offset) = (Vec::new(), 0u64);
        for parameter in layer.parameters(&images)? {
            let length = parameter.elements();
            let end = length.and_then(|length| offset.checked_add(length));
            let (Some(length), Some(end)) = (length, end) else {
                return Err(JsError::new("too many parameters"));
            };
            parameters.push(Parameter {
                name: parameter.name,
                shape: parameter.shape,
                learned: parameter.learned,
                offset,
                length,
            });
            offset = end;
        }
        Ok(Shaped {
            layer,
            images,
            parameters,
        })
    }

    /// Elements of all parameters.
    pub(crate) fn count(&self) -> u64 {
        let last = self.parameters.last();
        last.map_or(0, |last| last.offset + last.length)
    }

    /// The parameters of one array: the learned ones, the others, or all.
    fn split(&self, name: &str, all: &[f32], learned: Option<bool>) -> Result<Parameters> {
        if all.len() as u64 != self.count() {
            let (len, count) = (all.len(), self.count());
            let message = format!(
                "{name} must have {count} elements, one parameter behind the other, not {len}"
            );
            return Err(JsError::new(&message));
        }
        let mut tensors = Parameters::new();
        for parameter in &self.parameters {
            if learned.is_none_or(|learned| parameter.learned == learned) {
                let begin = parameter.offset as usize;
                let own = &all[begin..begin + parameter.length as usize];
                tensors = tensors.with(&parameter.name, own);
            }
        }
        Ok(tensors)
    }

    /// The parameters as one array; zeros where there is none of the name.
    fn joined(&self, tensors: &Parameters) -> Vec<f64> {
        let of = |parameter: &Parameter| match tensors.get(&parameter.name) {
            Some(values) => values.to_vec(),
            None => vec![0.0; parameter.length as usize],
        };
        self.parameters.iter().flat_map(of).collect()
    }
}

/// What a layer is evaluated on.
struct Tensors {
    x: Vec<f32>,
    dy: Option<Vec<f32>>,
    parameters: Parameters,
}

impl Tensors {
    fn read(shaped: &Shaped, arrays: &JsValue, options: &Options) -> Result<Self> {
        let parameters = needed(arrays, "parameters", DType::F32)?;
        Ok(Tensors {
            x: needed(arrays, "x", options.dtype())?,
            dy: array(arrays, "dy", options.dtype())?,
            parameters: shaped.split("parameters", &parameters, None)?,
        })
    }
}

pub(crate) fn in_f64(text: &str, arrays: &JsValue, options: &Options) -> Result<js_sys::Object> {
    let shaped = Shaped::new(text, options)?;
    let Shaped { layer, images, .. } = &shaped;
    let Tensors { x, dy, parameters } = Tensors::read(&shaped, arrays, options)?;
    let told = js_sys::Object::new();
    if let Some(dy) = dy {
        let gradients = layer.backward(images, &parameters, &x, &dy)?;
        put(&told, "dx", &gradients.dx)?;
        put(&told, "gradients", &shaped.joined(&gradients.parameters))?;
    } else {
        let outputs = layer.forward(images, &parameters, &x)?;
        put(&told, "y", &outputs.y)?;
        let mut renewed = parameters;
        renewed.extend(outputs.running);
        put(&told, "parameters", &shaped.joined(&renewed))?;
    }
    Ok(told)
}

pub(crate) fn compared(
    text: &str,
    arrays: &JsValue,
    results: &JsValue,
    options: &Options,
) -> Result<Vec<LayerCompared>> {
    let (shaped, dtype) = (Shaped::new(text, options)?, options.dtype());
    let Shaped { layer, images, .. } = &shaped;
    let Tensors { x, dy, parameters } = Tensors::read(&shaped, arrays, options)?;
    let (y, dx) = (array(results, "y", dtype)?, array(results, "dx", dtype)?);
    if y.is_none() && dx.is_none() {
        return Err(JsError::new(
            "nothing to compare: there is neither y nor dx",
        ));
    }
    if dx.is_some() && dy.is_none() {
        return Err(JsError::new("dx is compared, but there is no dy"));
    }
    // Both passes are evaluated at once; of a forward pass alone the other is not looked at.
    let dy = dy.unwrap_or_else(|| vec![0.0; x.len()]);
    let expected = ExpectedLayer::new(layer, images, &parameters, &x, &dy)?;
    let mut all = Vec::new();
    if let Some(y) = y {
        let mut running = Parameters::new();
        if layer.trains() {
            let renewed = needed(results, "parameters", DType::F32)?;
            running = shaped.split("parameters", &renewed, Some(false))?;
        }
        all.extend(forward(&expected, dtype, &y, &running)?);
    }
    if let Some(dx) = dx {
        let gradients = needed(results, "gradients", DType::F32)?;
        let gradients = shaped.split("gradients", &gradients, Some(true))?;
        all.extend(backward(&expected, dtype, &dx, &gradients)?);
    }
    Ok(all.iter().map(LayerCompared::new).collect())
}

fn forward(
    expected: &ExpectedLayer,
    dtype: DType,
    y: &[f32],
    running: &Parameters,
) -> Result<Vec<LayerReport>> {
    Ok(match dtype {
        DType::F16 => expected.forward(&narrowed::<f16>(y), running)?,
        DType::BF16 => expected.forward(&narrowed::<bf16>(y), running)?,
        _ => expected.forward(y, running)?,
    })
}

fn backward(
    expected: &ExpectedLayer,
    dtype: DType,
    dx: &[f32],
    gradients: &Parameters,
) -> Result<Vec<LayerReport>> {
    Ok(match dtype {
        DType::F16 => expected.backward(&narrowed::<f16>(dx), gradients)?,
        DType::BF16 => expected.backward(&narrowed::<bf16>(dx), gradients)?,
        _ => expected.backward(dx, gradients)?,
    })
}
