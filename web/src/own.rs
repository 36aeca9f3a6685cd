//! Activations of the page's own: WGSL for the kernels, and functions of JavaScript for the reference.

use crate::Result;
use crate::arrays::named;
use crate::options::check_keys;
use js_sys::{Array, Function};
use nonlin::{Chain, Custom};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

thread_local! {
    static DEFINED: RefCell<Vec<Custom>> = const { RefCell::new(Vec::new()) };
    /// By the activation's name. The library wants functions that may go to other threads; a name may, what belongs to
    /// a page may not.
    static FUNCTIONS: RefCell<BTreeMap<String, [Function; 2]>> = const { RefCell::new(BTreeMap::new()) };
    /// What a function of JavaScript did wrong, first of all.
    static WRONG: Cell<Option<String>> = const { Cell::new(None) };
}

const KNOWN: &[&str] = &["name", "parameters", "wgsl", "y", "dx", "budget"];

/// A chain's text, in which activations of the page's own may stand.
pub(crate) fn chain(text: &str) -> Result<Chain> {
    WRONG.set(None);
    let own = DEFINED.with_borrow(Vec::clone);
    Ok(Chain::parse_with(text, &own)?)
}

/// Whether the page's functions gave numbers, each time since a chain was read.
pub(crate) fn went_well() -> Result<()> {
    match WRONG.take() {
        Some(message) => Err(JsError::new(&message)),
        None => Ok(()),
    }
}

/// Makes an activation known to all chains that are read from now on; one of its name is replaced. Gives it as a chain.
pub(crate) fn define(activation: &JsValue) -> Result<Chain> {
    check_keys("an activation", activation, KNOWN)?;
    let name = text(activation, "name")?;
    let parameters = parameters(activation)?;
    let known: Vec<_> = parameters.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    let mut custom = Custom::new(&name, &known, &text(activation, "wgsl")?)?;
    if let Some(budget) = named(activation, "budget") {
        let ulp = budget.as_f64().filter(|ulp| ulp.is_finite() && *ulp > 0.0);
        let wrong = || JsError::new(&format!("{name}'s budget must be a number above 0, in ULP"));
        custom = custom.with_budget(ulp.ok_or_else(wrong)?);
    }
    let functions = functions(activation, &name)?;
    if functions.is_some() {
        let (of_y, of_dx) = (name.clone(), name.clone());
        custom = custom.with_reference(
            move |x, p| called(&of_y, 0, x, p),
            move |x, p| called(&of_dx, 1, x, p),
        );
    }
    FUNCTIONS.with_borrow_mut(|all| match functions {
        Some(functions) => all.insert(name.clone(), functions),
        None => all.remove(&name),
    });
    DEFINED.with_borrow_mut(|all| {
        all.retain(|known| known.name() != name);
        all.push(custom);
    });
    chain(&name)
}

fn text(activation: &JsValue, key: &str) -> Result<String> {
    let text = named(activation, key).and_then(|value| value.as_string());
    text.ok_or_else(|| JsError::new(&format!("an activation's {key} must be a text")))
}

/// Parameters and their defaults, in the order in which the object has them.
fn parameters(activation: &JsValue) -> Result<Vec<(String, f32)>> {
    let Some(given) = named(activation, "parameters") else {
        return Ok(Vec::new());
    };
    let wrong = || JsError::new("an activation's parameters must be an object of numbers");
    let given = given.dyn_ref::<js_sys::Object>().ok_or_else(wrong)?;
    let mut all = Vec::new();
    for entry in js_sys::Object::entries(given).iter() {
        let entry = Array::from(&entry);
        let (name, default) = (entry.get(0).as_string(), entry.get(1).as_f64());
        let (Some(name), Some(default)) = (name, default) else {
            return Err(wrong());
        };
        all.push((name, default as f32));
    }
    Ok(all)
}

/// The value and the derivative, if there are any.
fn functions(activation: &JsValue, name: &str) -> Result<Option<[Function; 2]>> {
    let [y, dx] = ["y", "dx"].map(|key| named(activation, key));
    if y.is_none() && dx.is_none() {
        return Ok(None);
    }
    let function = |value: Option<JsValue>| value.and_then(|value| value.dyn_into().ok());
    match (function(y), function(dx)) {
        (Some(y), Some(dx)) => Ok(Some([y, dx])),
        _ => Err(JsError::new(&format!(
            "{name}'s y and dx must be functions, both of them: the reference needs the value and the derivative"
        ))),
    }
}

/// What a function of the page gives; NaN, and a mistake that is told later, where that is no number.
fn called(name: &str, which: usize, x: f64, parameters: &[f64]) -> f64 {
    // Copied, since the function may define activations itself.
    let function = FUNCTIONS.with_borrow(|all| all.get(name).map(|both| both[which].clone()));
    let what = ["y", "dx"][which];
    let arguments = Array::of1(&x.into());
    for parameter in parameters {
        arguments.push(&(*parameter).into());
    }
    let given = match function {
        Some(function) => function.apply(&JsValue::NULL, &arguments),
        None => return f64::NAN,
    };
    let problem = match given {
        Ok(value) => match value.as_f64() {
            Some(number) => return number,
            None => format!("{name}'s {what} gave no number for x = {x}"),
        },
        Err(thrown) => {
            let message = thrown
                .dyn_ref::<js_sys::Error>()
                .map(js_sys::Error::message);
            let message = message.map_or_else(|| format!("{thrown:?}"), String::from);
            format!("{name}'s {what} threw for x = {x}: {message}")
        }
    };
    WRONG.set(Some(WRONG.take().unwrap_or(problem)));
    f64::NAN
}
