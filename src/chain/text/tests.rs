//! What text means, and what is said of mistakes in it.

use super::*;

fn parse(text: &str) -> Result<Chain, Error> {
    text.parse()
}

#[test]
fn every_activation_round_trips() {
    for activation in Activation::ALL {
        let text = activation.to_string();
        assert_eq!(text.parse(), Ok(*activation), "{text}");
        for alias in activation.aliases() {
            assert_eq!(Activation::by_name(alias), Some(*activation), "{alias}");
        }
    }
}

#[test]
fn names_and_aliases_are_unique() {
    let aliases = Activation::ALL.iter().flat_map(|a| a.aliases()).copied();
    let mut all: Vec<_> = known_steps().into_iter().chain(aliases).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn arguments_by_position_and_by_name() {
    let named = parse("softplus(threshold=10, beta=2)").unwrap();
    assert_eq!(parse(" softplus ( 2 , 10 ) ").unwrap(), named);
    assert_eq!(parse("softplus()").unwrap(), parse("softplus").unwrap());
    assert_eq!(
        parse("scale(factor=-1e-3)").unwrap(),
        Chain::new().scale(-1e-3)
    );
}

/// As modules print themselves, and as operators and configurations have it.
#[test]
fn names_as_they_are_found() {
    for (text, same) in [
        ("nn.SiLU()", "silu"),
        ("torch.nn.SiLU(inplace=True)", "silu"),
        ("F.relu6", "relu6"),
        ("jax.nn.hard_tanh", "hardtanh"),
        ("GELU(approximate='tanh')", "gelu_tanh"),
        ("GELU(approximate='none')", "gelu"),
        ("Gelu(approximate=\"tanh\")", "gelu_tanh"),
        ("LeakyReLU(0.1, inplace=True)", "leaky_relu(0.1)"),
        (
            "LeakyReLU(negative_slope=0.1, inplace=False)",
            "leaky_relu(0.1)",
        ),
        ("LeakyRelu(alpha=0.1)", "leaky_relu(0.1)"),
        (
            "RReLU(lower=0.125, upper=0.333, inplace=True)",
            "rrelu(0.125, 0.333)",
        ),
        ("Dropout(p=0.5, inplace=False)", "dropout(0.5)"),
        ("Selu(alpha=2, gamma=3)", "elu(2) | scale(3)"),
        ("Swish(alpha=2)", "swish(2)"),
        ("QuickGelu(alpha=2)", "swish(2)"),
        (
            "HardSigmoid(alpha=0.5, beta=0.6)",
            "onnx_hardsigmoid(0.5, 0.6)",
        ),
        ("Clip(min=-2, max=3)", "hardtanh(-2, 3)"),
        ("clip(max=7)", "hardtanh(-inf, 7)"),
        ("clip(2, 1)", "hardtanh(1, 1)"),
        ("Hardtanh(min_val=-2, max_val=2)", "hardtanh(-2, 2)"),
        ("Softplus(beta=2.0, threshold=20.0)", "softplus(2)"),
        ("round( bf16 )", "round(bf16)"),
        ("round(f32)", "identity"),
        ("swiglu", "silu | gate(@g)"),
        ("scale(2) | reglu(@up)", "scale(2) | relu | gate(@up)"),
        ("gelu_10", "gelu | hardtanh(-10, 10)"),
        ("softcap(50)", "scale(0.02) | tanh | scale(50)"),
        (
            "dyt(0.5)",
            "scale(0.5) | tanh | scale(@weight) | bias(@bias)",
        ),
        (
            "swiglu(@u | clip(max=7))",
            "silu | gate(@u | hardtanh(-inf, 7))",
        ),
    ] {
        assert_eq!(parse(text), parse(same), "{text}");
    }
}

#[test]
fn mistakes_in_what_was_found() {
    for (text, message) in [
        (
            "relu | softcap",
            "step 2: softcap needs a value for c, as in softcap(c=2)",
        ),
        (
            "softcap(0)",
            "step 1: c of softcap must be a finite number other than 0, not 0",
        ),
        (
            "swiglu(limit=7)",
            "step 1: swiglu has no parameter \"limit\"; it takes gate",
        ),
        (
            "silu(approximate='tanh')",
            "step 1: silu has no parameter \"approximate\"; it takes none",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn every_preset_is_a_chain() {
    for preset in Preset::ALL {
        let given: Vec<_> = preset
            .parameters()
            .iter()
            .map(|(name, default)| format!("{name}={}", default.unwrap_or("3")))
            .collect();
        let text = format!("{}({})", preset.name(), given.join(", "));
        let chain = parse(&text).unwrap();
        assert_eq!(parse(&chain.to_string()), Ok(chain), "{text}");
        for alias in preset.aliases() {
            assert_eq!(Preset::by_name(alias), Some(preset));
            assert!(Activation::by_name(alias).is_none(), "{alias}");
        }
    }
}

#[test]
fn mistakes_say_where_and_what() {
    for (text, message) in [
        (
            "",
            "the chain is empty; it needs at least one step, such as \"silu\" or \"scale(2)\"",
        ),
        (
            "relu | silux",
            "step 2: unknown activation \"silux\"; did you mean \"silu\"?",
        ),
        (
            "relu||relu",
            "step 2: cannot read \"\": a step's name is missing",
        ),
        (
            "relu | scale(2",
            "step 2: cannot read \"scale(2\": the parenthesis is not closed",
        ),
        (
            "scale",
            "step 1: scale needs a value for factor, as in scale(factor=2)",
        ),
        (
            "scale(x)",
            "step 1: factor of scale must be a finite f32, not \"x\"",
        ),
        (
            "scale(inf)",
            "step 1: factor of scale must be a finite f32, not \"inf\"",
        ),
        (
            "scale(1e40)",
            "step 1: factor of scale must be a finite f32, not \"1e40\"",
        ),
        (
            "scale(1, 2)",
            "step 1: scale has no parameter \"2\"; it takes factor",
        ),
        (
            "silu(beta=1)",
            "step 1: silu has no parameter \"beta\"; it takes none",
        ),
        (
            "swish(beta=1,)",
            "step 1: swish has no parameter \"\"; it takes beta",
        ),
        (
            "relu | round(f8)",
            "step 2: dtype of round must be f16 or bf16, not f8",
        ),
        (
            "swish(beta=1, beta=2)",
            "step 1: cannot read \"swish(beta=1, beta=2)\": a parameter is given twice",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
    let unlike = parse("qqqq").unwrap_err().to_string();
    assert!(unlike.contains("known are scale, "), "{unlike}");
}

#[test]
fn mistakes_in_branches() {
    for (text, message) in [
        (
            "relu | gate(@g | silux)",
            "step 2: unknown activation \"silux\"; did you mean \"silu\"?",
        ),
        (
            "gate(@g | relu",
            "step 1: cannot read \"gate(@g | relu\": the parenthesis is not closed",
        ),
        (
            "gate(@g | )",
            "step 1: cannot read \"\": a step's name is missing",
        ),
        (
            "gate(@1 | relu)",
            "step 1: tensor of gate must be a name of letters, digits and underscores, a letter first, other than \
             x, y, dy and dx, not @1 | relu",
        ),
        (
            "gate(@g | gate(@g))",
            "@g stands in two places; each argument needs an operand of its own",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn branches_round_trip() {
    for text in [
        "silu | gate(@u | hardtanh(min_val=-7, max_val=7) | bias(1))",
        "acon_c(p1=@p | exp, p2=@q, beta=@b | softplus(beta=2, threshold=20) | scale(@s))",
        "residual(@r | gate(@g | gate(@h | sigmoid)) | dropout(p=0.1))",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
    let deep = "gate(@g | ".repeat(40) + "relu" + &")".repeat(40);
    let refused = parse(&deep).unwrap_err().to_string();
    assert!(
        refused.ends_with("stand too deep in each other"),
        "{refused}"
    );
    let evaluated = parse("residual(@r | dropout(0.5)) | gate(@g | rrelu(0, 1))").unwrap();
    let wanted = "residual(@r) | gate(@g | leaky_relu(negative_slope=0.5))";
    assert_eq!(evaluated.evaluation().to_string(), wanted);
}

#[test]
fn values_that_are_not_finite_are_refused() {
    let chain = Chain::new().scale(f32::NAN);
    assert!(matches!(
        chain.validate(),
        Err(Error::Chain(ChainError::BadValue { step: 1, .. }))
    ));
}

/// Steps over whole rows print as they are read; a norm's weight and bias are steps behind it.
#[test]
fn rows() {
    for (text, printed) in [
        ("softmax", "softmax"),
        ("Softmax(axis=1)", "softmax(axis=1)"),
        ("nn.Softmax(dim=-1)", "softmax(axis=-1)"),
        ("Softmax2d", "softmax(axis=-3)"),
        ("softmax(sink=@s, axis=2)", "softmax(sink=@s, axis=2)"),
        ("quiet_softmax", "softmax(sink=0)"),
        ("softmin", "scale(-1) | softmax"),
        ("causal | LogSoftmax()", "causal(0) | log_softmax"),
        (
            "rms_norm(weight=@w, eps=0.5) | gate(@g | silu)",
            "rms_norm(eps=0.5) | scale(@w) | gate(@g | silu)",
        ),
        (
            "LayerNorm(weight=@w, bias=@b)",
            "layer_norm(eps=0.00001) | scale(@w) | bias(@b)",
        ),
    ] {
        let chain: Chain = text.parse().unwrap();
        assert_eq!(chain.to_string(), printed);
        assert_eq!(printed.parse::<Chain>().unwrap(), chain, "{text}");
    }
    for (text, message) in [
        (
            "softmax(axis=x)",
            "step 1: axis of softmax must be a whole number, not x",
        ),
        ("softmax(1, 2)", "step 1: softmax has no parameter \"2\""),
        (
            "softmax(weight=@w)",
            "step 1: softmax has no parameter \"weight\"",
        ),
        (
            "softmax(sink=@s | exp)",
            "step 1: sink of softmax must be a number or an operand",
        ),
        ("silu | causal(1)", "step 2: causal cannot stand here"),
        (
            "softmax | tanh | softmax",
            "step 3: softmax cannot stand here",
        ),
        (
            "gate(@g | scale(@s | rms_norm))",
            "step 1: gate cannot stand here",
        ),
    ] {
        let error = text.parse::<Chain>().unwrap_err().to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
}
