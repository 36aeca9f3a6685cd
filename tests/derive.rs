//! Activations whose text has the value alone: what is derived is right, readable, and refused where there is none.

#[path = "derive/as_f.rs"]
mod as_f;

#[path = "derive/trees.rs"]
mod trees;

#[path = "derive/kinks.rs"]
mod kinks;

#[path = "derive/rooms.rs"]
mod rooms;

use as_f::tokens;
use nonlin::{
    Chain, ChainError, Custom, DType, Error, Limits, Memory, Operand, Operands, Pass, Recipe,
    Values, check, reference,
};

/// An activation `f` of the statements of its value.
fn custom(parameters: &[(&str, f32)], body: &str, others: &str) -> Result<Custom, Error> {
    Custom::from_value("f", &text(parameters, body, others))
}

fn text(parameters: &[(&str, f32)], body: &str, others: &str) -> String {
    let marks = parameters.iter();
    let marks: String = marks
        .map(|(name, value)| format!("//#default {name} = {value:?}\n"))
        .collect();
    let typed: String = parameters
        .iter()
        .map(|(name, _)| format!(", {name}: f32"))
        .collect();
    format!("{marks}fn act_f(x: f32{typed}) -> f32 {{\n{body}\n}}\n{others}")
}

fn values(custom: &Custom, x: &[f32]) -> Vec<f64> {
    reference::forward(&Chain::from(custom.clone()), x).unwrap()
}

fn slopes(custom: &Custom, x: &[f32]) -> Vec<f64> {
    let dy = vec![1.0f32; x.len()];
    reference::backward(&Chain::from(custom.clone()), x, &dy).unwrap()
}

/// The derivative with respect to the parameter `a`, at each x.
fn shares(custom: &Custom, x: &[f32], a: f32) -> Vec<f64> {
    let chain = Chain::parse_with(
        &format!("{}(a=@a)", custom.name()),
        std::slice::from_ref(custom),
    )
    .unwrap();
    let share = |x: &f32| {
        let values = Values::new().arg("a", &[a]);
        reference::gradient(&chain, &[*x], &[1.0f32], &values, "a").unwrap()[0]
    };
    x.iter().map(share).collect()
}

/// The activation whose value is what the text has for the derivative with respect to x: in f64 it is that text's.
fn of_text(custom: &Custom) -> Result<Custom, Error> {
    let mut text = String::new();
    for (name, value) in custom.parameters().zip(defaults(custom)) {
        text += &format!("//#default {name} = {value:?}\n");
    }
    for token in tokens(custom.wgsl()) {
        match token {
            "act_f_dx" => text += "act_g",
            token if token.starts_with("act_f") || token.starts_with("f_") => {
                text += &format!("g_{token}");
            }
            token => text += token,
        }
    }
    Custom::from_value("g", &text)
}

fn defaults(custom: &Custom) -> Vec<f32> {
    let chain = Chain::from(custom.clone());
    let arguments = chain.steps()[0].arguments().iter();
    let values = arguments.map(|argument| match argument {
        nonlin::Argument::Constant(value) => *value,
        _ => unreachable!(),
    });
    values.collect()
}

/// As a person would write them.
#[test]
fn derivatives_are_readable() {
    let derived = |custom: Custom| {
        let text = custom.wgsl();
        let (_, derived) = text
            .split_once("// Derived from the value above.\n")
            .unwrap();
        // What is derived twice is right (tests/second_reference.rs), and less to be read.
        let (derived, _) = derived
            .split_once("\n// Derived from the derivative above.\n")
            .unwrap();
        println!("{derived}");
        derived.to_owned()
    };
    let hill = custom(&[("a", 1.0)], "    return 1.0 / (1.0 + x * x * a);", "").unwrap();
    assert_eq!(derived(hill), HILL);
    let helped = custom(
        &[],
        "    let z = 1.5 * x;\n    return x * f_squash(z);",
        "fn f_squash(z: f32) -> f32 { return z / (1.0 + abs(z)); }\n",
    );
    assert_eq!(derived(helped.unwrap()), HELPED);
    let silu = custom(
        &[("a", 1.0)],
        "    return m_times_sigmoid(x, a * x);",
        "//#use math/sigmoid.wgsl\n",
    );
    assert_eq!(derived(silu.unwrap()), SWISH);
}

const HILL: &str = "\
//#use math/nan.wgsl
fn m_masked(gradient: f32, slope: f32) -> f32 { return gradient * slope; } //#stub

// d act_f / d x
fn act_f_dx(x: f32, a: f32) -> f32 {
    let near = clamp(x, -3.4028234e38, 3.4028234e38);
    let t1 = 1.0 + near * near * a;
    return -(m_masked(2.0 * near * a, 1.0 / t1) / t1);
}

// d act_f / d a
fn act_f_d_a(x: f32, a: f32) -> f32 {
    let near = clamp(x, -3.4028234e38, 3.4028234e38);
    let t1 = near * near;
    let t2 = 1.0 + t1 * a;
    return -(m_masked(t1, 1.0 / t2) / t2);
}
";
const HELPED: &str = "
// d act_f / d x
fn act_f_dx(x: f32) -> f32 {
    let near = clamp(x, -3.4028234e38, 3.4028234e38);
    let z = 1.5 * near;
    return f_squash(z) + near * (1.5 * f_squash_d_z(z));
}

// d f_squash / d z
fn f_squash_d_z(z: f32) -> f32 {
    let t1 = 1.0 + abs(z);
    return (1.0 - z / t1 * sign(z)) / t1;
}
";
const SWISH: &str = "\
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub

// d act_f / d x
fn act_f_dx(x: f32, a: f32) -> f32 {
    let near = clamp(x, -3.4028234e38, 3.4028234e38);
    let t1 = a * near;
    return m_times_sigmoid(1.0 + m_times_sigmoid(near * a, -t1), t1);
}

// d act_f / d a
fn act_f_d_a(x: f32, a: f32) -> f32 {
    let near = clamp(x, -3.4028234e38, 3.4028234e38);
    let t1 = a * near;
    return m_times_sigmoid(m_times_sigmoid(near * near, -t1), t1);
}
";

/// A text and what is wrong with it: line, column, and words of the message.
#[test]
fn what_has_no_derivative_is_told_with_its_place() {
    let mut wrong = Vec::new();
    for (body, place, words) in [
        (
            "return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);",
            (2, 21),
            "bitcast",
        ),
        ("let k = i32(x);\nreturn f32(k);", (2, 9), "whole number"),
        (
            "var y = x;\nwhile y > 1.0 {\ny = 0.5 * y;\n}\nreturn y;",
            (3, 6),
            "depends on the input",
        ),
        ("var y = x;\nf_set(&y);\nreturn y;", (3, 1), "pointer"),
        ("return f_bits(x);", (8, 48), "bitcast"),
        ("return m_exp(x, 0.0).s;", (2, 8), "m_exp_value"),
        ("return m_cos(u32(x));", (2, 14), "whole number"),
        ("return m_decay(x).one;", (2, 8), "m_decay"),
        (
            "return m_square_bell(x, x, x, x);",
            (2, 8),
            "of the library",
        ),
        ("return frexp(x).fract;", (2, 8), "frexp"),
        (
            "let m = mat2x2(x, x, x, x);\nreturn m[0].x;",
            (2, 9),
            "matri",
        ),
        (
            "var y = x;\nfor (var i = 0; i < 100000; i++) {\ny = sin(y);\n}\nreturn y;",
            (3, 29),
            "4096 operations",
        ),
    ] {
        let others = "//#use math/exp.wgsl\n//#use math/sigmoid.wgsl\n//#use math/sin.wgsl\n\
                      fn f_set(y: ptr<function, f32>) { *y = 1.0; }\n\
                      fn f_bits(v: f32) -> f32 { return bitcast<f32>(bitcast<u32>(v)); }\n";
        let error = custom(&[], body, others).unwrap_err();
        let Error::Chain(ChainError::NoDerivative {
            line,
            column,
            message,
            ..
        }) = &error
        else {
            panic!("{body}: {error}");
        };
        if (*line, *column) != place || !message.contains(words) {
            wrong.push(format!("{body}: {error}, not {place:?} {words}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn mistakes_in_marks_are_told() {
    let wrong = |text: &str| Custom::from_value("f", text).unwrap_err().to_string();
    let value = "fn act_f(x: f32, a: f32) -> f32 { return a * x; }";
    for (text, words) in [
        (
            value.to_owned(),
            "the parameter a has no default; a line //#default a = 1.0",
        ),
        (
            format!("//#default a\n{value}"),
            "line 1: a default is written as",
        ),
        (
            format!("//#default a = one\n{value}"),
            "line 1: a default is written as",
        ),
        (
            format!("//#default a = 1\n//#default a = 2\n{value}"),
            "line 2: a has a default already",
        ),
        (
            format!("//#default a = 1\n//#default b = 1\n{value}"),
            "line 2: act_f has no parameter b",
        ),
        (
            format!("//#default a = inf\n{value}"),
            "which is not finite",
        ),
        (
            "fn act_g(x: f32) -> f32 { return x; }".into(),
            "the text has no fn act_f",
        ),
        (
            "fn act_f(z: f32) -> f32 { return z; }".into(),
            "it must be fn act_f(x: f32) -> f32",
        ),
        (
            "fn act_f(x: f32) -> f32 { return y; }".into(),
            "f.wgsl:1:34",
        ),
        (
            "// @group(0) //#bind\nfn act_f(x: f32) -> f32 { return x; }".into(),
            "//#bind has no place",
        ),
    ] {
        let message = wrong(&text);
        assert!(message.contains(words), "{text}: {message}");
    }
    let named = |text: &str| {
        text.parse::<Custom>()
            .map(|custom| custom.name().to_owned())
    };
    let text = "fn act_f(x: f32) -> f32 { return x; }\nfn act_f_dx(x: f32) -> f32 { return 1.0; }";
    assert_eq!(named(text), Ok("f".into()));
    let two = "fn act_f(x: f32) -> f32 { return x; }\nfn act_h(x: f32) -> f32 { return x; }";
    assert!(
        named(two)
            .unwrap_err()
            .to_string()
            .contains("two activations")
    );
    assert!(
        named("")
            .unwrap_err()
            .to_string()
            .contains("no fn act_<name>")
    );
}

/// What the text has is kept, and what a closure says wins.
#[test]
fn what_is_given_by_hand_wins() {
    let text = "//#default a = 2.0\nfn act_f(x: f32, a: f32) -> f32 { return a * x; }\n\
                fn act_f_dx(x: f32, a: f32) -> f32 { return a; } // By hand.\n";
    let custom = Custom::from_value("f", text).unwrap();
    assert_eq!(custom.wgsl().matches("fn act_f_dx(").count(), 1);
    assert!(custom.wgsl().contains("fn act_f_d_a("), "{}", custom.wgsl());
    assert!(custom.shares_formula());
    assert_eq!(custom.budget(), f64::INFINITY);
    assert_eq!(slopes(&custom, &[3.0]), [2.0]);
    assert_eq!(shares(&custom, &[3.0], 2.0), [3.0]);
    let other = custom
        .with_reference(|_, _| 7.0, |_, _| 8.0)
        .with_budget(4.0);
    assert!(!other.shares_formula());
    assert_eq!(other.budget(), 4.0);
    assert_eq!(values(&other, &[3.0]), [7.0]);
    assert_eq!(slopes(&other, &[3.0]), [8.0]);
}

/// Statements of all kinds, beside the same function written plainly.
#[test]
fn statements_are_followed() {
    let others = "struct FPair { low: f32, parts: vec2<f32> }\n\
                  const F_TABLE = array<f32, 3>(0.5, -1.0, 0.25);\n\
                  fn f_power(v: f32, n: i32) -> f32 {\nvar p = 1.0;\nfor (var i = 0; i < n; i++) { p *= v; }\n\
                  return p;\n}\n"
        .replace("FPair", "f_Pair")
        .replace("F_TABLE", "f_TABLE");
    for (body, plain) in [
        (
            "if x > 1.0 { return a * x; } return a * x * x;",
            "return select(a * x * x, a * x, x > 1.0);",
        ),
        (
            "var y = x; if x < 0.0 { y = a * x; } else if x > 2.0 { y = 2.0; } return y;",
            "return select(select(x, 2.0, x > 2.0), a * x, x < 0.0);",
        ),
        (
            "if x > 0.0 && x < 1.0 { return x * x; } return a;",
            "return select(a, x * x, (x > 0.0) & (x < 1.0));",
        ),
        (
            "return f_power(x, 3) + f_power(a, 2);",
            "return x * x * x + a * a;",
        ),
        (
            "var p = 0.0; for (var i = 0; i < 3; i++) { p = p * x + f_TABLE[i]; } return p * a;",
            "return ((0.5 * x - 1.0) * x + 0.25) * a;",
        ),
        (
            "var s = 0.0; var i = 0; loop { if i == 4 { break; } if i == 2 { i++; continue; } s += x / f32(i + 1); \
             i++; } return s;",
            "return x + x / 2.0 + x / 4.0;",
        ),
        (
            "let k = select(0, select(1, 2, x > 1.0), x > 0.0); var y = x; switch k { case 0: { y = a; } case 1, 5: \
             { y = x * x; } default: { y = 3.0 * x; } } return y;",
            "return select(a, select(x * x, 3.0 * x, x > 1.0), x > 0.0);",
        ),
        (
            "switch 2 { case 1: { return x; } case 2: { return a * x; } default: { return 0.0; } }",
            "return a * x;",
        ),
        (
            "let p = f_Pair(x, vec2(a, x * x)); return dot(p.parts, vec2(p.low, 1.0));",
            "return a * x + x * x;",
        ),
        (
            "var v = vec3(x, a, 1.0); v.y = x * x; v = v * v.zyx + 0.5; return v.x + 2.0 * v.y - v.z;",
            "return 2.0 * (x * x * x * x) + 1.0;",
        ),
        (
            "let c = cross(vec3(x, a, 1.0), vec3(1.0, x, a)); return length(c.xy) + all(vec2(x, a) > vec2(0.0)) * 0.0;",
            "",
        ),
        (
            "let n = normalize(vec2(x, 2.0)); return reflect(n, vec2(0.0, 1.0)).y * a;",
            "return -2.0 / sqrt(x * x + 4.0) * a;",
        ),
        ("return modf(x).fract * a;", "return (x - trunc(x)) * a;"),
        (
            "var y = a; { let y = x; _ = y; } return y * x;",
            "return a * x;",
        ),
        (
            "return ldexp(x, 3) * radians(180.0);",
            "return 8.0 * x * 3.1415927;",
        ),
    ] {
        if plain.is_empty() {
            continue;
        }
        println!("{body}");
        let one = custom(&[("a", 1.25)], body, &others).unwrap_or_else(|e| panic!("{body}: {e}"));
        let other = custom(&[("a", 1.25)], plain, "").unwrap();
        let x: Vec<f32> = (-9..=12).map(|k| 0.37 * k as f32 + 0.01).collect();
        let text = of_text(&one).unwrap_or_else(|e| panic!("{}: {e}", one.wgsl()));
        let pairs = [
            (values(&one, &x), values(&other, &x)),
            (slopes(&one, &x), slopes(&other, &x)),
            (shares(&one, &x, 1.25), shares(&other, &x, 1.25)),
            (slopes(&one, &x), values(&text, &x)),
        ];
        for (one, other) in pairs {
            for ((one, other), x) in one.iter().zip(&other).zip(&x) {
                let off = (one - other).abs() / other.abs().max(1.0);
                assert!(off < 1e-6, "{body} at {x}: {one}, {other}");
            }
        }
    }
}

/// Errors that nobody stated a budget for are told, and pass; NaN in the place of a number does not.
#[test]
fn errors_are_told() {
    let hill = custom(&[("a", 1.0)], "    return 1.0 / (1.0 + x * x * a);", "").unwrap();
    let (chain, x) = (Chain::from(hill.clone()), [1.0f32, 2.0, f32::NAN]);
    let told = check::forward(&chain, &x, &[0.5f32, 0.2 + 3e-7, f32::NAN]).unwrap();
    let worst = told.worst.as_ref().unwrap();
    assert!(told.passes(), "{told:?}");
    assert_eq!((worst.index, worst.allowed), (1, f64::INFINITY));
    assert!(worst.ulp > 15.0 && worst.ulp < 25.0, "{worst}");
    let lost = check::forward(&chain, &x, &[0.5f32, f32::NAN, f32::NAN]).unwrap();
    assert_eq!(lost.failed, 1, "{lost:?}");
    let made_up = check::forward(&chain, &x, &[0.5f32, 0.2, 1.0]).unwrap();
    assert_eq!(made_up.failed, 1, "{made_up:?}");
    let stated = Chain::from(hill.clone().with_budget(4.0));
    let report = check::forward(&stated, &x, &[0.5f32, 0.2 + 3e-7, f32::NAN]).unwrap();
    assert_eq!(report.failed, 1, "{report:?}");

    // Of sums, too: elements that share a, and behind a step over whole rows.
    for text in ["f(a=@a)", "f(a=@a) | softmax"] {
        let chain = Chain::parse_with(text, std::slice::from_ref(&hill)).unwrap();
        let (x, dy) = ([1.0f32, 2.0, 3.0], [1.0f32, 2.0, -1.0]);
        let values = Values::new().arg("a", &[0.75f32]);
        let want = reference::gradient(&chain, &x, &dy, &values, "a").unwrap()[0];
        let gradient = |got: f32| check::gradient(&chain, &x, &dy, &values, "a", &[got]).unwrap();
        let told = gradient(1.001 * want as f32);
        let worst = told.worst.as_ref().unwrap();
        assert!(told.passes() && worst.ulp > 100.0, "{text}: {told:?}");
        assert_eq!(gradient(f32::NAN).failed, 1, "{text}");
    }
}

/// What WGSL's text gives is wanted of a kernel, and not a limit that f64 made up: an angle beyond f32 is infinite there.
#[test]
fn angles_beyond_f32_have_no_sine() {
    let wave = custom(&[], "    return x + sin(x);", "").unwrap();
    let x = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
    for given in [values(&wave, &x), slopes(&wave, &x)] {
        assert!(given[0].is_nan() && given[1].is_nan(), "{given:?}");
        assert!(given[2].is_finite(), "{given:?}");
    }
    let twice = custom(&[], "    return cos(2.0 * x) + tan(x / 2.0);", "").unwrap();
    assert!(values(&twice, &[f32::MAX])[0].is_nan());
}

/// Hosts that launch kernels themselves have its text in their recipes.
#[test]
fn recipes_have_it() {
    let hill = custom(&[("a", 1.0)], "    return 1.0 / (1.0 + x * x * a);", "").unwrap();
    let chain = Chain::parse_with("scale(2) | f(a=@a)", &[hill]).unwrap();
    let own = |id, len: u64| Operand::in_memory(Memory::External { id, size: 4 * len }, 0, len);
    let operands = Operands::new()
        .x(own(0, 64))
        .dy(own(1, 64))
        .arg("a", own(2, 1), DType::F32)
        .dx(own(3, 64))
        .grad("a", own(4, 1), DType::F32);
    let limits = Limits::default();
    let recipe = Recipe::new(&chain, Pass::Backward, DType::F32, &operands, &limits).unwrap();
    let text = recipe.dispatches()[0].wgsl();
    for function in ["fn act_f_dx(", "fn act_f_d_a("] {
        assert!(text.contains(function), "{text}");
    }
}
