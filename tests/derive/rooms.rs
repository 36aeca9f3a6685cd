//! The library's own activations: what is derived of their values' text, beside their derivatives in f64.

use super::{of_text, tokens, values};
use nonlin::{Activation, Chain, Custom, Values, reference};

/// Activations whose values are written with the bits of floats.
const OF_BITS: [&str; 4] = ["celu", "erf", "gelu_tanh", "quick_gelu"];

/// The value's text as an activation `f`.
fn as_f(activation: Activation) -> String {
    let name = activation.name();
    let path = format!("{}/shaders/act/{name}.wgsl", env!("CARGO_MANIFEST_DIR"));
    let room = std::fs::read_to_string(path).unwrap();
    let mut text = String::new();
    let parameters = activation.parameters().iter().zip(activation.values());
    for (parameter, value) in parameters {
        text += &format!("//#default {parameter} = {value:?}\n");
    }
    let (derivative, mut is_derivative) = (format!("fn act_{name}_d"), false);
    for line in room.lines() {
        is_derivative |= line.starts_with(&derivative);
        if !is_derivative {
            text += &format!("{line}\n");
        }
        is_derivative &= line != "}";
    }
    let (own, capital) = (format!("{name}_"), format!("{}_", name.to_uppercase()));
    let renamed = tokens(&text).map(|token| match token.strip_prefix("act_") {
        Some(rest) if rest == name => "act_f".to_owned(),
        None if token.starts_with(&own) || token.starts_with(&capital) => format!("f_{token}"),
        _ => token.to_owned(),
    });
    renamed.collect()
}

/// How far one is from the other, of the larger or of one.
fn off(one: f64, other: f64) -> f64 {
    (one - other).abs() / other.abs().max(1.0)
}

/// Values and derivatives of all rooms whose text has no bits of floats, and which those are.
#[test]
fn rooms_are_derived() {
    let mut refused = Vec::new();
    for activation in Activation::ALL {
        let name = activation.name();
        let text = as_f(*activation);
        let derived = match Custom::from_value("f", &text) {
            Ok(derived) => derived,
            Err(error) => {
                println!("{name}: {error}");
                refused.push(name);
                continue;
            }
        };
        compare(*activation, &derived);
    }
    assert_eq!(refused, OF_BITS);
}

fn compare(activation: Activation, derived: &Custom) {
    let name = activation.name();
    let (room, own) = (Chain::from(activation), Chain::from(derived.clone()));
    let knots = activation.knots();
    // Beside knots, and beside zero, where |x| has one.
    let is_smooth = |x: &f32| {
        knots
            .iter()
            .chain(&[0.0])
            .all(|knot| (f64::from(*x) - knot).abs() > 1e-3)
    };
    let x: Vec<f32> = (-700..=700)
        .map(|k| 0.013 * k as f32)
        .filter(is_smooth)
        .collect();
    let dy = vec![1.0f32; x.len()];
    let text = of_text(derived);
    let text = match &text {
        Ok(text) => values(text, &x),
        Err(error) => panic!("{name}: {error}\n{}", derived.wgsl()),
    };
    let slopes = reference::backward(&own, &x, &dy).unwrap();
    let wants = reference::backward(&room, &x, &dy).unwrap();
    let mut worst = [0.0f64; 4];
    let ys = reference::forward(&own, &x).unwrap();
    for (y, want) in ys.iter().zip(reference::forward(&room, &x).unwrap()) {
        worst[0] = worst[0].max(off(*y, want));
    }
    for ((slope, text), want) in slopes.iter().zip(&text).zip(&wants) {
        worst[1] = worst[1].max(off(*slope, *want));
        worst[2] = worst[2].max(off(*text, *slope));
    }
    for parameter in activation.learnable() {
        let index = activation.parameters().iter().position(|p| *p == parameter);
        let value = activation.values()[index.unwrap()];
        let taken = |name: &str| {
            let text = format!("{name}({parameter}=@w)");
            Chain::parse_with(&text, std::slice::from_ref(derived)).unwrap()
        };
        for x in x.iter().step_by(7) {
            let share = |chain: &Chain| {
                let values = Values::new().arg("w", &[value]);
                reference::gradient(chain, &[*x], &[1.0f32], &values, "w").unwrap()[0]
            };
            worst[3] = worst[3].max(off(share(&taken("f")), share(&taken(name))));
        }
    }
    println!(
        "{name}: value {:e}, derivative {:e}, its text {:e}, of parameters {:e}",
        worst[0], worst[1], worst[2], worst[3]
    );
    // What approximates the value was not fitted to the derivative.
    let [value, slope, text, share] = worst;
    assert!(
        value < 1e-6 && slope < 1e-5 && text < 1e-6 && share < 1e-5,
        "{name}: {worst:?}"
    );
}
