//! Values of the library's own activations as texts of an activation `f`.

use nonlin::Activation;

/// Names, and what stands between.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = is_name(rest.chars().next()?);
        let end = rest.find(|c| is_name(c) != first).unwrap_or(rest.len());
        let (token, behind) = rest.split_at(end);
        rest = behind;
        Some(token)
    })
}

/// The value's text as an activation `f`.
pub(crate) fn as_f(activation: Activation) -> String {
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
