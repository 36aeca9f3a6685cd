//! nonlin for JavaScript: the core without a device, as WebAssembly. What the functions take and give is described in
//! types.d.ts, for those who call them.

mod arrays;
mod layers;
mod listed;
mod options;
#[cfg(feature = "custom")]
mod own;
mod recipes;

use arrays::{Tensors, array, gradients_of, narrowed, put, put_value};
use listed::Compared;
#[cfg(not(feature = "custom"))]
use nonlin::Chain;
use nonlin::check::{Expected, Report};
use nonlin::half::{bf16, f16};
use nonlin::{DType, Pass, check, reference};
use options::{Options, told};
#[cfg(feature = "custom")]
use own::{chain, went_well};
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

/// What is wrong, in the library's words.
type Result<T> = std::result::Result<T, JsError>;

/// A chain's text.
#[cfg(not(feature = "custom"))]
fn chain(text: &str) -> Result<Chain> {
    Ok(text.parse()?)
}

/// Functions of JavaScript may throw; here there are none.
#[cfg(not(feature = "custom"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "as where there are activations of the page's own"
)]
fn went_well() -> Result<()> {
    Ok(())
}

fn pass(text: &str) -> Result<Pass> {
    Ok(text.parse()?)
}

/// A value as a JavaScript object.
fn object(value: &impl Serialize) -> Result<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(told)
}

#[cfg(feature = "custom")]
#[wasm_bindgen(typescript_custom_section)]
const OWN_TYPES: &str = include_str!("own.d.ts");

/// Makes an activation of the page's own known.
///
/// # Errors
/// Those of the library's `Custom::new`, and for what an activation may not have or lacks.
#[cfg(feature = "custom")]
#[wasm_bindgen(skip_typescript)]
pub fn define(activation: &JsValue) -> Result<JsValue> {
    object(&listed::chain(&own::define(activation)?))
}

/// The steps, presets and layers that there are.
///
/// # Errors
/// None that a caller can cause.
#[wasm_bindgen(skip_typescript)]
pub fn list() -> Result<JsValue> {
    object(&listed::list())
}

/// The chain's text as it is printed, with all its parameters.
///
/// # Errors
/// For a text that is no chain.
#[wasm_bindgen(skip_typescript)]
pub fn parse(text: &str) -> Result<JsValue> {
    object(&listed::chain(&chain(text)?))
}

/// The WGSL functions `<prefix>_y` and `<prefix>_dx` of a chain, for a kernel of the caller's own.
///
/// # Errors
/// For a text that is no chain, a prefix that no name in WGSL can begin with, and steps that are no function of x alone.
#[wasm_bindgen(skip_typescript)]
pub fn functions(text: &str, prefix: &str) -> Result<String> {
    Ok(chain(text)?.functions(prefix)?)
}

/// What a pass of a chain dispatches.
///
/// # Errors
/// Those of the library's `Recipe::new`, and for options that there are not.
#[wasm_bindgen(skip_typescript)]
pub fn recipe(text: &str, pass_text: &str, options: JsValue) -> Result<JsValue> {
    let options = Options::read(options)?;
    object(&recipes::of_chain(
        &chain(text)?,
        pass(pass_text)?,
        &options,
    )?)
}

/// What a pass of a layer dispatches.
///
/// # Errors
/// Those of the library's `Recipe::layer`, and for options that there are not.
#[wasm_bindgen(js_name = layerRecipe, skip_typescript)]
pub fn layer_recipe(text: &str, pass_text: &str, options: JsValue) -> Result<JsValue> {
    let options = Options::read(options)?;
    object(&recipes::of_layer(text, pass(pass_text)?, &options)?)
}

/// The parameters of a layer, as they lie in a buffer.
///
/// # Errors
/// For a text that is no layer, and images that it cannot have.
#[wasm_bindgen(js_name = layerParameters, skip_typescript)]
pub fn layer_parameters(text: &str, options: JsValue) -> Result<JsValue> {
    object(&layers::Shaped::new(text, &Options::read(options)?)?.parameters)
}

/// The f64 reference of a layer: y, or with dy, dx and the parameters' gradients.
///
/// # Errors
/// Those of the library's `Layer::forward` and `backward`.
#[wasm_bindgen(js_name = layerReference, skip_typescript)]
pub fn layer_reference(text: &str, arrays: &JsValue, options: JsValue) -> Result<JsValue> {
    let options = Options::read(options)?;
    Ok(layers::in_f64(text, arrays, &options)?.into())
}

/// Compares results of a layer with the reference.
///
/// # Errors
/// Those of the library's checker of layers; results that are wrong are none, but are told.
#[wasm_bindgen(js_name = layerCompare, skip_typescript)]
pub fn layer_compare(
    text: &str,
    arrays: &JsValue,
    results: &JsValue,
    options: JsValue,
) -> Result<JsValue> {
    let options = Options::read(options)?;
    object(&layers::compared(text, arrays, results, &options)?)
}

/// The f64 reference of a chain: y, or with dy, dx and the gradients that are asked for.
///
/// # Errors
/// Those of the library's `reference::forward_with` and `backward_with`.
#[wasm_bindgen(js_name = reference, skip_typescript)]
pub fn in_f64(text: &str, arrays: &JsValue, options: JsValue) -> Result<JsValue> {
    let options = Options::read(options)?;
    let chain = chain(text)?;
    let Tensors { x, dy, values } = Tensors::read(&chain, arrays, &options)?;
    let told = js_sys::Object::new();
    if let Some(dy) = dy {
        let dx = reference::backward_with(&chain, &x, &dy, &values)?;
        put(&told, "dx", &dx)?;
        let gradients = js_sys::Object::new();
        for name in &options.gradients {
            let numbers = reference::gradient(&chain, &x, &dy, &values, name)?;
            put(&gradients, name, &numbers)?;
        }
        put_value(&told, "gradients", &gradients)?;
    } else {
        let y = reference::forward_with(&chain, &x, &values)?;
        put(&told, "y", &y)?;
    }
    went_well()?;
    Ok(told.into())
}

/// Compares results of a chain with the reference.
///
/// # Errors
/// Those of the library's checker; results that are wrong are none, but are told.
#[wasm_bindgen(skip_typescript)]
pub fn compare(
    text: &str,
    arrays: &JsValue,
    results: &JsValue,
    options: JsValue,
) -> Result<JsValue> {
    let options = Options::read(options)?;
    let (chain, dtype) = (chain(text)?, options.dtype());
    let tensors = Tensors::read(&chain, arrays, &options)?;
    let Tensors { x, values, .. } = &tensors;
    let mut all = Vec::new();
    if let Some(y) = array(results, "y", dtype)? {
        let expected = Expected::forward_with(&chain, x, values)?;
        all.push(Compared::new("y", &judged(&expected, &y, dtype)?));
    }
    if let Some(dx) = array(results, "dx", dtype)? {
        let expected = Expected::backward_with(&chain, x, tensors.dy("dx")?, values)?;
        all.push(Compared::new("dx", &judged(&expected, &dx, dtype)?));
    }
    for (name, got) in gradients_of(&chain, results)? {
        let dy = tensors.dy("a gradient")?;
        let report = check::gradient(&chain, x, dy, values, &name, &got)?;
        all.push(Compared::new(&name, &report));
    }
    if all.is_empty() {
        return Err(JsError::new(
            "nothing to compare: there is neither y, dx nor a gradient",
        ));
    }
    went_well()?;
    object(&all)
}

/// Results of a dtype beside what they should be.
fn judged(expected: &Expected, got: &[f32], dtype: DType) -> Result<Report> {
    Ok(match dtype {
        DType::F16 => expected.compare(&narrowed::<f16>(got))?,
        DType::BF16 => expected.compare(&narrowed::<bf16>(got))?,
        _ => expected.compare(got)?,
    })
}
