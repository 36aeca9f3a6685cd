//! Options, as JavaScript gives them.

use crate::Result;
use nonlin::{Broadcast, Chain, DType, Layout, Limits};
use serde::Deserialize;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

/// See types.d.ts.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Options {
    pub(crate) shape: Option<Vec<f64>>,
    axis: Option<i32>,
    dtype: Option<String>,
    pub(crate) operands: BTreeMap<String, OperandOptions>,
    pub(crate) gradients: Vec<String>,
    queries: Option<f64>,
    seed: Option<f64>,
    offset: Option<f64>,
    pub(crate) in_place: BTreeMap<String, String>,
    pub(crate) order: Option<String>,
    pub(crate) exact: bool,
    limits: Option<LimitOptions>,
}

/// An operand's elements, and how they are stored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperandOptions {
    length: Option<f64>,
    shape: Option<Vec<f64>>,
    dtype: Option<String>,
}

/// Under WebGPU's names; others that a device has are of no interest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LimitOptions {
    max_compute_workgroups_per_dimension: f64,
    max_compute_invocations_per_workgroup: f64,
    max_storage_buffer_binding_size: f64,
    max_uniform_buffer_binding_size: f64,
    max_storage_buffers_per_shader_stage: f64,
    min_storage_buffer_offset_alignment: f64,
}

impl Default for LimitOptions {
    fn default() -> Self {
        let limits = Limits::default();
        LimitOptions {
            max_compute_workgroups_per_dimension: limits
                .max_compute_workgroups_per_dimension
                .into(),
            max_compute_invocations_per_workgroup: limits
                .max_compute_invocations_per_workgroup
                .into(),
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size as f64,
            max_uniform_buffer_binding_size: limits.max_uniform_buffer_binding_size as f64,
            max_storage_buffers_per_shader_stage: limits
                .max_storage_buffers_per_shader_stage
                .into(),
            min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment.into(),
        }
    }
}

/// What an object of options may have, and each of its operands. serde takes what it knows from a JavaScript object, and never
/// sees the rest.
const KNOWN: &[&str] = &[
    "shape",
    "axis",
    "dtype",
    "operands",
    "gradients",
    "queries",
    "seed",
    "offset",
    "inPlace",
    "order",
    "exact",
    "limits",
];
const KNOWN_OF_OPERANDS: &[&str] = &["length", "shape", "dtype"];

pub(crate) fn check_keys(what: &str, value: &JsValue, known: &[&str]) -> Result<()> {
    let Some(object) = value.dyn_ref::<js_sys::Object>() else {
        return Err(JsError::new(&format!("{what} must be an object")));
    };
    let keys = js_sys::Object::keys(object);
    let unknown = keys.iter().filter_map(|key| key.as_string());
    match unknown
        .into_iter()
        .find(|key| !known.contains(&key.as_str()))
    {
        Some(key) => Err(JsError::new(&format!(
            "{what} may not have \"{key}\", but {}",
            known.join(", ")
        ))),
        None => Ok(()),
    }
}

pub(crate) fn told(error: serde_wasm_bindgen::Error) -> JsError {
    JsError::new(&error.to_string())
}

/// A whole number that JavaScript holds exactly.
fn whole(what: &str, number: f64) -> Result<u64> {
    const MOST: f64 = 9_007_199_254_740_991.0;
    if (0.0..=MOST).contains(&number) && number.fract() == 0.0 {
        return Ok(number as u64);
    }
    Err(JsError::new(&format!(
        "{what} must be a whole number from 0 to 2^53 - 1, not {number}"
    )))
}

fn small(what: &str, number: f64) -> Result<u32> {
    let number = whole(what, number)?;
    u32::try_from(number).map_err(|_| JsError::new(&format!("{what} is too large: {number}")))
}

fn wholes(what: &str, numbers: &[f64]) -> Result<Vec<u64>> {
    numbers.iter().map(|number| whole(what, *number)).collect()
}

fn product(what: &str, lengths: &[u64]) -> Result<u64> {
    let product = lengths
        .iter()
        .try_fold(1u64, |all, length| all.checked_mul(*length));
    product.ok_or_else(|| JsError::new(&format!("{what} has more than 2^64 elements")))
}

fn dtype_of(text: Option<&str>) -> Result<DType> {
    Ok(text.map_or(Ok(DType::F32), str::parse)?)
}

impl Options {
    pub(crate) fn read(value: JsValue) -> Result<Self> {
        if value.is_undefined() || value.is_null() {
            return Ok(Options::default());
        }
        check_keys("the options", &value, KNOWN)?;
        let operands = js_sys::Reflect::get(&value, &"operands".into()).unwrap_or_default();
        if let Some(operands) = operands.dyn_ref::<js_sys::Object>() {
            for operand in js_sys::Object::values(operands).iter() {
                check_keys("an operand", &operand, KNOWN_OF_OPERANDS)?;
            }
        }
        let options: Options = serde_wasm_bindgen::from_value(value).map_err(told)?;
        dtype_of(options.dtype.as_deref())?;
        Ok(options)
    }

    /// Of x, y and their gradients.
    pub(crate) fn dtype(&self) -> DType {
        // It was read before.
        dtype_of(self.dtype.as_deref()).unwrap_or(DType::F32)
    }

    pub(crate) fn shape(&self) -> Result<Vec<u64>> {
        let shape = self.shape.as_ref();
        let shape = shape.ok_or_else(|| JsError::new("the option shape is missing: that of x"))?;
        wholes("a length of shape", shape)
    }

    /// Elements of x.
    pub(crate) fn len(&self) -> Result<u64> {
        product("shape", &self.shape()?)
    }

    /// How x's elements are grouped: rows along an axis, or channels.
    pub(crate) fn layout(&self, chain: &Chain) -> Result<Option<Layout>> {
        if self.shape.is_none() {
            return Ok(None);
        }
        let shape = self.shape()?;
        let axes = shape.len() as i64;
        let is_of_rows = chain.row().is_some();
        let named = self.axis.map(i64::from).or(chain.axis());
        let axis = match named {
            None if is_of_rows => axes - 1,
            None if axes < 2 => return Ok(None),
            None => 1,
            Some(axis) if axis < 0 => axis + axes,
            Some(axis) => axis,
        };
        let layout = usize::try_from(axis)
            .ok()
            .and_then(|axis| Layout::of_shape(&shape, axis));
        match layout {
            Some(layout) => Ok(Some(layout)),
            None => Err(JsError::new(&format!(
                "there is no axis {} in the shape {shape:?}, or it has too many elements",
                named.unwrap_or(axis)
            ))),
        }
    }

    pub(crate) fn queries(&self) -> Result<Option<u64>> {
        self.queries.map(|rows| whole("queries", rows)).transpose()
    }

    /// What random steps begin with.
    pub(crate) fn random(&self) -> Result<[u64; 2]> {
        Ok([
            whole("seed", self.seed.unwrap_or(0.0))?,
            whole("offset", self.offset.unwrap_or(0.0))?,
        ])
    }

    pub(crate) fn limits(&self) -> Result<Limits> {
        let default = LimitOptions::default();
        let limits = self.limits.as_ref().unwrap_or(&default);
        Ok(Limits {
            max_compute_workgroups_per_dimension: small(
                "maxComputeWorkgroupsPerDimension",
                limits.max_compute_workgroups_per_dimension,
            )?,
            max_compute_invocations_per_workgroup: small(
                "maxComputeInvocationsPerWorkgroup",
                limits.max_compute_invocations_per_workgroup,
            )?,
            max_storage_buffer_binding_size: whole(
                "maxStorageBufferBindingSize",
                limits.max_storage_buffer_binding_size,
            )?,
            max_uniform_buffer_binding_size: whole(
                "maxUniformBufferBindingSize",
                limits.max_uniform_buffer_binding_size,
            )?,
            max_storage_buffers_per_shader_stage: small(
                "maxStorageBuffersPerShaderStage",
                limits.max_storage_buffers_per_shader_stage,
            )?,
            min_storage_buffer_offset_alignment: small(
                "minStorageBufferOffsetAlignment",
                limits.min_storage_buffer_offset_alignment,
            )?,
            ..Limits::default()
        })
    }

    /// The operand's elements and dtype.
    pub(crate) fn operand(&self, name: &str) -> Result<(u64, DType)> {
        let missing = || {
            JsError::new(&format!(
                "the options say nothing of the operand @{name}: operands: {{ {name}: {{ length }} }}"
            ))
        };
        let operand = self.operands.get(name).ok_or_else(missing)?;
        let length = match (operand.length, &operand.shape) {
            (Some(length), _) => whole("an operand's length", length)?,
            (None, Some(shape)) => {
                product(name, &wholes("a length of an operand's shape", shape)?)?
            }
            (None, None) => return Err(missing()),
        };
        Ok((length, dtype_of(operand.dtype.as_deref())?))
    }

    /// How an operand with as many axes as x is broadcast.
    pub(crate) fn broadcast(&self, name: &str) -> Result<Option<Broadcast>> {
        let shape = self
            .operands
            .get(name)
            .and_then(|operand| operand.shape.as_ref());
        let (Some(shape), true) = (shape, self.shape.is_some()) else {
            return Ok(None);
        };
        let (x, own) = (
            self.shape()?,
            wholes("a length of an operand's shape", shape)?,
        );
        if own.len() != x.len() {
            return Ok(None);
        }
        let broadcast = Broadcast::of_shapes(&x, &own);
        broadcast.map(Some).ok_or_else(|| {
            JsError::new(&format!(
                "@{name} of the shape {own:?} cannot be broadcast to {x:?}"
            ))
        })
    }
}
