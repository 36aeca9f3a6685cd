//! What holds for every text of an activation's value. `tests/fuzzed.rs` asks it of the seeds.

use nonlin::{Chain, ChainError, Custom, Error, Pass, Values, reference};

/// Values at which functions and their derivatives differ from what they are elsewhere.
const SPECIAL: [f32; 9] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.3,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    1e-45,
];

/// It has derivatives, which are WGSL, and a reference; or an error says why not, where it has no derivative with a place in
/// the text. Nothing panics. Says whether it has derivatives.
pub(crate) fn check(text: &str) -> bool {
    match text.parse::<Custom>() {
        Ok(custom) => {
            check_custom(&custom);
            true
        }
        Err(error) => {
            assert!(!error.to_string().trim().is_empty(), "{error:?}");
            if let Error::Chain(ChainError::NoDerivative { line, column, .. }) = error {
                let line = text.lines().nth(line as usize - 1);
                let fits = line.is_some_and(|line| column as usize <= line.len() + 1);
                assert!(fits || (line.is_none() && column == 1), "{error}");
            }
            false
        }
    }
}

fn check_custom(custom: &Custom) {
    let again = Custom::from_value(custom.name(), &with_defaults(custom));
    assert_eq!(
        again.as_ref().map(|again| again.wgsl().trim()),
        Ok(custom.wgsl().trim())
    );
    let chain = Chain::from(custom.clone());
    for pass in [Pass::Forward, Pass::Backward] {
        let text = chain.wgsl(pass).unwrap_or_else(|error| panic!("{error}"));
        assert!(text.contains(&format!("act_{}", custom.name())));
    }
    chain
        .functions("f")
        .unwrap_or_else(|error| panic!("{error}"));
    reference::forward(&chain, &SPECIAL).unwrap_or_else(|error| panic!("{error}"));
    let dy = [1.0f32; SPECIAL.len()];
    reference::backward(&chain, &SPECIAL, &dy).unwrap_or_else(|error| panic!("{error}"));
    for (index, parameter) in custom.parameters().enumerate() {
        let text = format!("{}({parameter}=@w{index})", custom.name());
        let chain = Chain::parse_with(&text, std::slice::from_ref(custom));
        let chain = chain.unwrap_or_else(|error| panic!("{error}"));
        let name = format!("w{index}");
        assert_eq!(chain.learnable(), [&name]);
        let values = Values::new().arg(&name, &SPECIAL);
        let gradient = reference::gradient(&chain, &SPECIAL, &dy, &values, &name);
        gradient.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The text that came of it, with its defaults, which derives nothing anew.
fn with_defaults(custom: &Custom) -> String {
    let chain = Chain::from(custom.clone());
    let arguments = chain.steps()[0].arguments().iter();
    let marks = custom.parameters().zip(arguments);
    let marks = marks.map(|(name, argument)| match argument {
        nonlin::Argument::Constant(value) => format!("//#default {name} = {value:?}\n"),
        _ => String::new(),
    });
    // Blank lines stand in for defaults, so that lines keep their numbers.
    marks.collect::<String>() + custom.wgsl()
}
