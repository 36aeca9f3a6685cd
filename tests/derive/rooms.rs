//! The library's own activations: what is derived of their values' text, beside their derivatives in f64.

use super::as_f::as_f;
use super::{of_text, values};
use nonlin::{Activation, Chain, Custom, Values, reference};

/// Activations whose values are written with the bits of floats.
const OF_BITS: [&str; 3] = ["celu", "quick_gelu", "gelu_tanh"];

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
        // What it calls has no derivative, which the text as a value would need.
        Err(error) if error.to_string().contains("is a derivative itself") => Vec::new(),
        Err(error) => panic!(
            "{name}: {error}
{}",
            derived.wgsl()
        ),
    };
    let slopes = reference::backward(&own, &x, &dy).unwrap();
    let wants = reference::backward(&room, &x, &dy).unwrap();
    let mut worst = [0.0f64; 4];
    let ys = reference::forward(&own, &x).unwrap();
    for (y, want) in ys.iter().zip(reference::forward(&room, &x).unwrap()) {
        worst[0] = worst[0].max(off(*y, want));
    }
    for (slope, want) in slopes.iter().zip(&wants) {
        worst[1] = worst[1].max(off(*slope, *want));
    }
    for (slope, text) in slopes.iter().zip(&text) {
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
    // What approximates the value was not fitted to the derivative; the text has the derivative of that of log(1 + q) / q.
    let [value, slope, text, share] = worst;
    assert!(
        value < 1e-6 && slope < 1e-5 && text < 1e-5 && share < 1e-5,
        "{name}: {worst:?}"
    );
}
