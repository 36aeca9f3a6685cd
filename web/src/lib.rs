//! nonlin for JavaScript: the core without a device, as WebAssembly. What the functions take and give is described in
//! types.d.ts, for those who call them.

mod arrays;
mod listed;
mod options;
mod recipes;

use arrays::{Tensors, array, element_arrays, gradients_of};
use nonlin::check::Expected;
use nonlin::half::{bf16, f16};
use nonlin::{Chain, DType, Element, Pass, check, reference};
use options::{Options, told};
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

/// What is wrong, in the library's words.
type Result<T> = std::result::Result<T, JsError>;

/// A chain's text.
fn chain(text: &str) -> Result<Chain> {
    Ok(text.parse()?)
}

fn pass(text: &str) -> Result<Pass> {
    Ok(text.parse()?)
}

/// A value as a JavaScript object.
fn object(value: &impl Serialize) -> Result<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(told)
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

/// The f64 reference of a chain: y, or with dy, dx and the gradients that are asked for.
///
/// # Errors
/// Those of the library's `reference::forward_with` and `backward_with`.
#[wasm_bindgen(js_name = reference, skip_typescript)]
pub fn in_f64(text: &str, arrays: &JsValue, options: JsValue) -> Result<JsValue> {
    let options = Options::read(options)?;
    let chain = chain(text)?;
    match options.dtype() {
        DType::F16 => of_reference::<f16>(&chain, arrays, &options),
        DType::BF16 => of_reference::<bf16>(&chain, arrays, &options),
        _ => of_reference::<f32>(&chain, arrays, &options),
    }
}

fn of_reference<T: Element>(chain: &Chain, arrays: &JsValue, options: &Options) -> Result<JsValue> {
    let Tensors { x, dy, values } = element_arrays::<T>(chain, arrays, options)?;
    let told = js_sys::Object::new();
    let put = |name: &str, numbers: &[f64]| {
        js_sys::Reflect::set(
            &told,
            &name.into(),
            &js_sys::Float64Array::from(numbers).into(),
        )
    };
    let Some(dy) = dy else {
        put("y", &reference::forward_with(chain, &x, &values)?).map_err(told_by_js)?;
        return Ok(told.into());
    };
    put("dx", &reference::backward_with(chain, &x, &dy, &values)?).map_err(told_by_js)?;
    let gradients = js_sys::Object::new();
    for name in &options.gradients {
        let numbers = reference::gradient(chain, &x, &dy, &values, name)?;
        let numbers = js_sys::Float64Array::from(&numbers[..]);
        js_sys::Reflect::set(&gradients, &name.into(), &numbers.into()).map_err(told_by_js)?;
    }
    js_sys::Reflect::set(&told, &"gradients".into(), &gradients).map_err(told_by_js)?;
    Ok(told.into())
}

fn told_by_js(value: JsValue) -> JsError {
    JsError::new(&format!("{value:?}"))
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
    let chain = chain(text)?;
    match options.dtype() {
        DType::F16 => compared::<f16>(&chain, arrays, results, &options),
        DType::BF16 => compared::<bf16>(&chain, arrays, results, &options),
        _ => compared::<f32>(&chain, arrays, results, &options),
    }
}

fn compared<T: Element>(
    chain: &Chain,
    arrays: &JsValue,
    results: &JsValue,
    options: &Options,
) -> Result<JsValue> {
    let Tensors { x, dy, values } = element_arrays::<T>(chain, arrays, options)?;
    let mut all = Vec::new();
    if let Some(y) = array::<T>(results, "y")? {
        let report = Expected::forward_with(chain, &x, &values)?.compare(&y)?;
        all.push(listed::Compared::new("y", &report));
    }
    if let Some(dx) = array::<T>(results, "dx")? {
        let dy = dy
            .as_deref()
            .ok_or_else(|| JsError::new("dx is compared, but there is no dy"))?;
        let report = Expected::backward_with(chain, &x, dy, &values)?.compare(&dx)?;
        all.push(listed::Compared::new("dx", &report));
    }
    for (name, got) in gradients_of(chain, results)? {
        let dy = dy
            .as_deref()
            .ok_or_else(|| JsError::new("a gradient is compared, but there is no dy"))?;
        let report = check::gradient(chain, &x, dy, &values, &name, &got)?;
        all.push(listed::Compared::new(&name, &report));
    }
    if all.is_empty() {
        return Err(JsError::new(
            "nothing to compare: there is neither y, dx nor a gradient",
        ));
    }
    object(&all)
}
