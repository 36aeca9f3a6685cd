//! What holds for every text. `tests/fuzzed.rs` asks it of the seeds.

use nonlin::layers::{Images, Layer, Parameters};
use nonlin::{Chain, Error, Pass, Values, reference};

/// Values at which functions and their derivatives differ from what they are elsewhere.
const SPECIAL: [f32; 8] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    1e-45,
];

/// Nothing panics, whatever the text is; and what it says is said again as it is displayed.
pub(crate) fn check(text: &str) {
    match text.parse::<Chain>() {
        Ok(chain) => check_chain(&chain),
        Err(error) => check_error(&error),
    }
    match text.parse::<Layer>() {
        Ok(layer) => check_layer(&layer),
        Err(error) => check_error(&error),
    }
}

/// Something in one line.
fn check_error(error: &Error) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "{error:?}");
    assert!(!text.contains(char::is_control), "{error:?}");
}

fn checked<T>(result: Result<T, Error>) -> Option<T> {
    result.inspect_err(check_error).ok()
}

fn check_chain(chain: &Chain) {
    let text = chain.to_string();
    assert_eq!(text.parse().as_ref(), Ok(chain), "{text}");
    let evaluated = chain.evaluation();
    assert_eq!(evaluated.validate(), Ok(()), "{text}: {evaluated}");
    for pass in Pass::ALL {
        checked(chain.wgsl(pass));
    }
    checked(chain.functions("f"));
    // One value for all, and one for each.
    for count in [1, SPECIAL.len()] {
        let mut values = Values::new().random(1, 2);
        for name in chain.operands() {
            values = values.arg(name, &SPECIAL[..count]);
        }
        checked(reference::forward_with(chain, &SPECIAL, &values));
        let dy = [1.0f32; SPECIAL.len()];
        checked(reference::backward_with(chain, &SPECIAL, &dy, &values));
        for name in chain.learnable() {
            checked(reference::gradient(chain, &SPECIAL, &dy, &values, name));
        }
    }
    checked(reference::backward_from_y(chain, &SPECIAL, &SPECIAL));
}

/// What a layer has room for in a moment.
const FEW: u64 = 1 << 12;

fn check_layer(layer: &Layer) {
    let text = layer.to_string();
    let again: Layer = text.parse().expect(&text);
    // Settings may be NaN here: they are looked at later.
    assert_eq!(again.to_string(), text);
    let images = Images::nchw(2, 2, 1, 2);
    checked(layer.saved_len(&images));
    let Some(listed) = checked(layer.parameters(&images)) else {
        return;
    };
    assert_eq!(again, *layer);
    let mut parameters = Parameters::new();
    for parameter in listed {
        match parameter.elements() {
            Some(count) if count <= FEW => {
                parameters = parameters.with(&parameter.name, &vec![0.5f32; count as usize]);
            }
            _ => return,
        }
    }
    checked(layer.forward(&images, &parameters, &SPECIAL));
    checked(layer.backward(&images, &parameters, &SPECIAL, &SPECIAL));
}
