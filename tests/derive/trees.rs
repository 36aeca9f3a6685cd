//! Random expressions: derivatives beside difference quotients, and the text beside the dual numbers.

use super::{custom, of_text, shares, slopes, values};
use nonlin::Custom;
use proptest::prelude::*;

/// What every expression may call.
const OTHERS: &str = "fn f_mixed(u: f32, v: f32) -> f32 {\n    let w = u * v;\n    return w + sin(u) * 0.5;\n}\n\
                      fn f_bent(u: f32) -> f32 {\n    if u > 0.5 { return u * u; }\n    return 0.25 - u;\n}\n";

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => Just("x".to_owned()),
        1 => Just("a".to_owned()),
        1 => (-40..=40i32).prop_map(|k| format!("{:?}", k as f32 / 8.0)),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let (u, v, w) = (inner.clone(), inner.clone(), inner);
        let names = prop::sample::select(&ONE[..]);
        let pairs = prop::sample::select(&TWO[..]);
        let triples = prop::sample::select(&THREE[..]);
        prop_oneof![
            3 => (names, u.clone()).prop_map(|(form, u)| form.replace('U', &u)),
            4 => (pairs, u.clone(), v.clone())
                .prop_map(|(form, u, v)| form.replace('U', &u).replace('V', &v)),
            2 => (triples, u, v, w).prop_map(|(form, u, v, w)| {
                form.replace('U', &u).replace('V', &v).replace('W', &w)
            }),
        ]
    })
}

const ONE: [&str; 29] = [
    "-(U)",
    "abs(U)",
    "sign(U)",
    "floor(U)",
    "ceil(U)",
    "fract(U)",
    "sin(U)",
    "cos(U)",
    "tanh(U)",
    "sinh(clamp(U, -2.0, 2.0))",
    "cosh(clamp(U, -2.0, 2.0))",
    "tan(0.5 * sin(U))",
    "exp(clamp(U, -3.0, 3.0))",
    "exp2(clamp(U, -3.0, 3.0))",
    "log(abs(U) + 0.25)",
    "log2(abs(U) + 0.25)",
    "sqrt(abs(U) + 0.125)",
    "inverseSqrt(abs(U) + 0.125)",
    "asin(0.75 * sin(U))",
    "acos(0.75 * sin(U))",
    "atan(U)",
    "asinh(U)",
    "acosh(abs(U) + 1.25)",
    "atanh(0.75 * sin(U))",
    "saturate(U)",
    "degrees(radians(U))",
    "f_bent(U)",
    "(1.0 / (1.0 + exp(-(U))))",
    "pow(U, 3.0)",
];

const TWO: [&str; 17] = [
    "(U + V)",
    "(U - (V))",
    "(U * V)",
    "((U) / (0.5 + abs(V)))",
    "max(U, V)",
    "min(U, V)",
    "step(U, V)",
    "pow(abs(U) + 0.25, clamp(V, -2.0, 2.0))",
    "atan2(U, abs(V) + 0.5)",
    "((U) % (1.5 + abs(V)))",
    "f_mixed(U, V)",
    "length(vec2(U, V))",
    "dot(vec3(U, V, 1.0), vec3(V, 2.0, U))",
    "normalize(vec2(U, 1.0)).x",
    "distance(vec2(U, 0.5), vec2(V, 1.0))",
    "cross(vec3(U, V, 1.0), vec3(0.5, U, V)).z",
    "faceForward(vec2(U, V), vec2(V, 1.0), vec2(1.0, U)).y",
];

const THREE: [&str; 6] = [
    "clamp(U, min(V, W), max(V, W) + 0.25)",
    "mix(U, V, W)",
    "fma(U, V, W)",
    "select(U, V, W > 0.25)",
    "smoothstep(-1.0, 1.5 + abs(V), U + W)",
    "select(U, V, (W > -1.0) & (U < 1.0))",
];

/// What a is, and what keeps x away from the constants: at ties autograd may have half of what both sides agree on, as PyTorch
/// does.
const A: f32 = 641.0 / 1024.0;
const OFF: f32 = 11.0 / 1024.0;

/// Steps of a difference quotient, which f32 inputs have exactly.
const STEP: f32 = 1.0 / 4096.0;

/// A difference quotient and how far it may be off; none where a kink or jump is too near to tell.
fn quotient(f: impl Fn(f32) -> f64, at: f32) -> Option<(f64, f64)> {
    let of = |step: f32| (f(at + step) - f(at - step)) / (2.0 * f64::from(step));
    let (near, far) = (of(STEP), of(2.0 * STEP));
    let off = (near - far).abs();
    // On a kink both sides are smooth, and not alike.
    let side = |step: f32| (f(at + step) - f(at)) / f64::from(step);
    let apart = (side(STEP) - side(-STEP)).abs();
    // Steep stairs may rise alike over both steps, but not over a short one.
    let stairs = (near - of(STEP / 16.0)).abs();
    let is_smooth = off.max(apart).max(stairs) < 1e-2 * (1.0 + near.abs());
    is_smooth.then_some((near, 2.0 * off + 1e-6 * (1.0 + near.abs())))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_expressions(tree in expression()) {
        let body = format!("    let y = {tree};\n    return y;");
        let made = custom(&[("a", A)], &body, OTHERS);
        let made = match made {
            Ok(made) => made,
            // Constants may leave the range of f32, which naga refuses; and it does not evaluate all functions of constants
            // (smoothstep), which then have no type that it takes, nor a place.
            Err(error) => {
                let text = error.to_string();
                let is_naga = text.contains("f.wgsl:") || text.contains("Abstract types may only");
                prop_assert!(is_naga && !text.contains("what was derived"), "{}", text);
                return Err(TestCaseError::reject("constants"));
            }
        };
        let x: Vec<f32> = (-12..=12).map(|k| k as f32 * 0.234_375 + OFF).collect();
        let derived = slopes(&made, &x);
        let of_a = shares(&made, &x, A);
        let text = of_text(&made).map_err(|e| TestCaseError::fail(format!("{}\n{e}", made.wgsl())))?;
        for ((x, slope), written) in x.iter().zip(&derived).zip(values(&text, &x)) {
            prop_assert!(
                (slope - written).abs() <= 1e-6 * (1.0 + slope.abs()) || (slope.is_nan() && written.is_nan()),
                "at {}: {} by dual numbers, {} by the text\n{}", x, slope, written, made.wgsl()
            );
        }
        compare(&made, &x, &derived, |x| values(&made, &[x])[0])?;
        for (x, share) in x.iter().zip(&of_a) {
            compare(&made, &[A], &[*share], |a| value_at(&made, *x, a))?;
        }
    }
}

fn value_at(custom: &Custom, x: f32, a: f32) -> f64 {
    let text = format!("{}({a:?})", custom.name());
    let chain = nonlin::Chain::parse_with(&text, std::slice::from_ref(custom)).unwrap();
    nonlin::reference::forward(&chain, &[x]).unwrap()[0]
}

fn compare(
    custom: &Custom,
    at: &[f32],
    derived: &[f64],
    f: impl Fn(f32) -> f64,
) -> Result<(), TestCaseError> {
    for (at, derived) in at.iter().zip(derived) {
        let Some((quotient, off)) = quotient(&f, *at) else {
            continue;
        };
        prop_assert!(
            (quotient - derived).abs() <= off,
            "at {}: {} derived, {} by differences, {} allowed\n{}",
            at,
            derived,
            quotient,
            off,
            custom.wgsl()
        );
    }
    Ok(())
}
