//! The reference, without a GPU: its derivatives are those of its values, its constants those of the
//! literature, and its kinks those of PyTorch.

#[path = "common/nearest.rs"]
mod nearest;

use nonlin::{Activation, Chain, Element, Pass, half, reference};
use std::collections::BTreeSet;

fn value(chain: &Chain, x: f32) -> f64 {
    reference::forward(chain, &[x]).unwrap()[0]
}

fn slope(chain: &Chain, x: f32) -> f64 {
    reference::backward(chain, &[x], &[1.0]).unwrap()[0]
}

fn activation(text: &str) -> Chain {
    text.parse().unwrap()
}

/// The derivative is the central difference of the value, away from knots. The inputs are f32, and 2^-8
/// apart, so that the difference of two of them is exact; the difference's own error, h^2 / 6 times the
/// third derivative, is taken out by a second one with half the step.
#[test]
fn derivatives_are_differences_of_values() {
    let others = [
        "swish(beta=0.3)",
        "leaky_relu(-1.5)",
        "softplus(2.5, 3)",
        "swish(-2)",
        "elu(0.3)",
        "celu(2)",
        "squareplus(0.5)",
        "onnx_hardsigmoid(-0.7, 0.1)",
        "star_relu(-2, 3)",
        "xielu(2, 0.3, -1, -0.5)",
        "acon_b(-0.5, 2)",
        "acon_c(1.3, -0.7, 2)",
    ];
    let chains = Activation::ALL
        .iter()
        .copied()
        .map(Chain::from)
        .chain(others.map(activation));
    let longer = [
        "scale(0.5) | silu | scale(2)",
        "mish | scale(-3) | gelu_tanh | tanh",
    ]
    .map(activation);
    for chain in chains.chain(longer) {
        let knots: Vec<f64> = match chain.steps() {
            [step] => step.activation().map(|a| a.knots()).unwrap_or_default(),
            _ => Vec::new(),
        };
        for i in -3000..3000 {
            let x = i as f32 / 256.0 + 0.001953125;
            if knots.iter().any(|knot| (f64::from(x) - knot).abs() < 0.02) {
                continue;
            }
            let difference =
                |h: f32| (value(&chain, x + h) - value(&chain, x - h)) / f64::from(2.0 * h);
            let (coarse, fine) = (difference(1.0 / 256.0), difference(1.0 / 512.0));
            let want = fine + (fine - coarse) / 3.0;
            let got = slope(&chain, x);
            assert!(
                (got - want).abs() < 1e-8 * want.abs().max(1.0),
                "{chain} at {x}: {got} against {want}"
            );
        }
    }
}

#[test]
fn known_constants() {
    for (text, x, want) in [
        ("sigmoid", 1.0, 0.731_058_578_630_004_9),
        ("tanh", 0.5, 0.462_117_157_260_009_76),
        ("silu", -2.0, -0.238_405_844_044_235_2),
        ("swish(beta=2)", 1.0, 0.880_797_077_977_882_3),
        ("gelu", 1.0, 0.841_344_746_068_542_9),
        ("gelu", -10.0, -7.619_853_024_160_527e-23),
        ("gelu_tanh", 1.0, 0.841_191_990_608_276_8),
        ("mish", 1.0, 0.865_098_388_267_310_3),
        ("softplus", 0.0, std::f64::consts::LN_2),
        ("softplus", -80.0, 1.804_851_387_845_415_3e-35),
        ("hardswish", 1.0, 2.0 / 3.0),
        ("hardsigmoid", 1.0, 2.0 / 3.0),
        ("leaky_relu", -2.0, -2.0 * f64::from(0.01f32)),
        ("relu6", 7.0, 6.0),
        ("elu(2)", -1.0, -1.264_241_117_657_115_4),
        ("selu", 1.0, 1.050_700_987_355_480_5),
        ("selu", -1.0, -1.111_330_737_812_563),
        ("celu(2)", -1.0, -0.786_938_680_574_733_2),
        ("logsigmoid", 0.0, -std::f64::consts::LN_2),
        ("logsigmoid", 80.0, -1.804_851_387_845_415_3e-35),
        ("quick_gelu", 1.0, 0.845_795_765_932_821_3),
        ("softsign", -3.0, -0.75),
        ("hard_mish", -1.0, -0.5),
        ("tanhshrink", 1.0, 0.238_405_844_044_235_1),
        ("tanhshrink", 0.0625, 8.125_325_248_748_551e-5),
        ("softshrink", 2.0, 1.5),
        ("hardshrink", 2.0, 2.0),
        ("shrink(1, 0.25)", -2.0, -1.75),
        ("threshold(1, -3)", 0.5, -3.0),
        ("thresholded_relu", 1.5, 1.5),
        ("relu_squared", 3.0, 9.0),
        ("squareplus", -3.0, 0.302_775_637_731_994_7),
        ("sparse_plus", 0.5, 0.5625),
        ("sparse_sigmoid", 0.5, 0.75),
        ("onnx_hardsigmoid(0.25)", 1.0, 0.75),
        ("star_relu(2, -1)", 3.0, 17.0),
        ("xielu(0.75, 0.25)", 2.0, 4.0),
        ("xielu(1, 1, 0)", -1.0, 0.367_879_441_171_442_33),
        ("acon_b(0.5, 2)", 1.0, 0.865_529_289_315_002_4),
        ("acon_c(2, 1)", 1.0, 1.731_058_578_630_005),
        ("exp", 1.0, std::f64::consts::E),
        ("abs", -2.0, 2.0),
        ("identity", -2.0, -2.0),
    ] {
        let got = value(&activation(text), x);
        assert!(
            (got / want - 1.0).abs() < 1e-14,
            "{text} at {x}: {got} against {want}"
        );
    }
}

/// Parameters for which a function has no meaning are refused, by name; infinite bounds are none of them.
#[test]
fn domains() {
    for (text, message) in [
        (
            "celu(0)",
            "step 1: alpha of celu must be a number whose magnitude is from 1e-20 to 1e20, not 0",
        ),
        (
            "silu | softshrink(-0.5)",
            "step 2: lambd of softshrink must be 0 or more, not -0.5",
        ),
        (
            "hardtanh(2, -2)",
            "step 1: max_val of hardtanh must be no less than min_val, not -2",
        ),
        (
            "rrelu(0.3, 0.1)",
            "step 1: upper of rrelu must be no less than lower, not 0.1",
        ),
        (
            "softplus(beta=0)",
            "step 1: beta of softplus must be a number whose magnitude is from 1e-20 to 1e20, not 0",
        ),
        (
            "squareplus(-4)",
            "step 1: b of squareplus must be 0, or a number from 1e-30 to 1e30, not -4",
        ),
        (
            "relu | elu(inf)",
            "step 2: alpha of elu must be a finite f32, not \"inf\"",
        ),
        (
            "hardtanh(0, 1e40)",
            "step 1: max_val of hardtanh must be a finite f32, not \"1e40\"",
        ),
        (
            "hardtanh(nan, 1)",
            "step 1: min_val of hardtanh must be a finite f32, not \"nan\"",
        ),
    ] {
        let error = text.parse::<Chain>().unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let built = Chain::from(Activation::Celu { alpha: 0.0 });
    assert!(reference::forward(&built, &[1.0f32]).is_err());
    let bounded = activation("hardtanh(-inf, 7)");
    assert_eq!(bounded.to_string().parse(), Ok(bounded.clone()));
    let inputs = [f32::NEG_INFINITY, -1e30, 3.0, 9.0, f32::INFINITY];
    let y = reference::forward(&bounded, &inputs).unwrap();
    assert_eq!(y, [f64::NEG_INFINITY, f64::from(-1e30f32), 3.0, 7.0, 7.0]);
    let dx = reference::backward(&bounded, &inputs, &[1.0f32; 5]).unwrap();
    assert_eq!(dx, [1.0, 1.0, 1.0, 0.0, 0.0]);
}

/// At a kink, PyTorch 2.15's choice.
#[test]
fn kinks() {
    for (text, x, want) in [
        ("relu", 0.0, 0.0),
        ("relu6", 0.0, 0.0),
        ("relu6", 6.0, 0.0),
        ("leaky_relu(0.25)", 0.0, 0.25),
        ("hardsigmoid", -3.0, 0.0),
        ("hardsigmoid", 3.0, 0.0),
        ("hardswish", -3.0, 0.0),
        ("hardswish", 3.0, 1.0),
        ("softplus(1, 20)", 20.0, 0.999_999_997_938_846_3),
        ("elu(0.5)", 0.0, 0.5),
        ("selu", 0.0, 1.758_099_340_847_376_6),
        ("celu(2)", 0.0, 1.0),
        ("hardtanh", -1.0, 0.0),
        ("hardtanh", 1.0, 0.0),
        ("hard_mish", -2.0, -1.0),
        ("hard_mish", 0.0, 1.0),
        ("softshrink", -0.5, 0.0),
        ("softshrink", 0.5, 0.0),
        ("hardshrink", -0.5, 0.0),
        ("hardshrink", 0.5, 0.0),
        ("shrink", 0.5, 0.0),
        ("threshold(1, 2)", 1.0, 0.0),
        ("thresholded_relu", 1.0, 0.0),
        ("relu_squared", 0.0, 0.0),
        ("sparse_plus", -1.0, 0.0),
        ("sparse_plus", 1.0, 1.0),
        ("sparse_sigmoid", -1.0, 0.25),
        ("sparse_sigmoid", 1.0, 0.25),
        ("onnx_hardsigmoid(0.25, 0.5)", -2.0, 0.0),
        ("onnx_hardsigmoid(0.25, 0.5)", 2.0, 0.0),
        ("xielu(1, 0.75, 0.5)", 0.0, -0.25),
        (
            "xielu(1, 1, 0, -1)",
            -1.0,
            0.5 * 0.367_879_441_171_442_33 - 1.0,
        ),
        ("abs", 0.0, 0.0),
    ] {
        let got = slope(&activation(text), x);
        assert!(
            (got - want).abs() < 1e-15,
            "{text} at {x}: {got} against {want}"
        );
    }
}

/// With default parameters, every kink is that of the source which the room names, by its own automatic differentiation:
/// data/kinks.py ran it.
#[test]
fn kinks_are_their_sources() {
    let mut seen = BTreeSet::new();
    for line in include_str!("data/kinks.txt").lines() {
        let [name, knot, whose, want] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("four words are needed: {line}");
        };
        // The first line is the source's; others are there to compare.
        if !seen.insert((name, knot)) {
            continue;
        }
        let want: f64 = want.parse().unwrap();
        let got = slope(&activation(name), knot.parse().unwrap());
        // Parameters are f32.
        let near = (got - want).abs() <= 1e-6 * want.abs();
        assert!(near, "{name} at {knot}: {got}, and {want} of {whose}");
    }
    for activation in Activation::ALL.iter().filter(|a| !a.knots().is_empty()) {
        let name = activation.name();
        assert!(seen.iter().any(|(known, _)| *known == name), "{name}");
    }
}

#[test]
fn limits_at_infinity() {
    let inf = f32::INFINITY;
    for (text, down, up, slope_down, slope_up) in [
        ("relu", 0.0, f64::INFINITY, 0.0, 1.0),
        ("relu6", 0.0, 6.0, 0.0, 0.0),
        (
            "leaky_relu(0.5)",
            f64::NEG_INFINITY,
            f64::INFINITY,
            0.5,
            1.0,
        ),
        ("sigmoid", 0.0, 1.0, 0.0, 0.0),
        ("tanh", -1.0, 1.0, 0.0, 0.0),
        ("silu", 0.0, f64::INFINITY, 0.0, 1.0),
        ("swish(beta=-2)", f64::NEG_INFINITY, 0.0, 1.0, 0.0),
        ("hardsigmoid", 0.0, 1.0, 0.0, 0.0),
        ("hardswish", 0.0, f64::INFINITY, 0.0, 1.0),
        ("gelu", 0.0, f64::INFINITY, 0.0, 1.0),
        ("gelu_tanh", 0.0, f64::INFINITY, 0.0, 1.0),
        ("mish", 0.0, f64::INFINITY, 0.0, 1.0),
        ("softplus", 0.0, f64::INFINITY, 0.0, 1.0),
        ("elu(2)", -2.0, f64::INFINITY, 0.0, 1.0),
        ("celu(2)", -2.0, f64::INFINITY, 0.0, 1.0),
        ("logsigmoid", f64::NEG_INFINITY, 0.0, 1.0, 0.0),
        ("quick_gelu", 0.0, f64::INFINITY, 0.0, 1.0),
        (
            "selu",
            -1.758_099_340_847_376_6,
            f64::INFINITY,
            0.0,
            1.050_700_987_355_480_5,
        ),
        ("softsign", -1.0, 1.0, 0.0, 0.0),
        ("squareplus", 0.0, f64::INFINITY, 0.0, 1.0),
        ("hardtanh(-2, 3)", -2.0, 3.0, 0.0, 0.0),
        ("hard_mish", 0.0, f64::INFINITY, 0.0, 1.0),
        ("tanhshrink", f64::NEG_INFINITY, f64::INFINITY, 1.0, 1.0),
        ("softshrink", f64::NEG_INFINITY, f64::INFINITY, 1.0, 1.0),
        ("hardshrink", f64::NEG_INFINITY, f64::INFINITY, 1.0, 1.0),
        ("shrink", f64::NEG_INFINITY, f64::INFINITY, 1.0, 1.0),
        ("threshold(0, 2)", 2.0, f64::INFINITY, 0.0, 1.0),
        ("thresholded_relu", 0.0, f64::INFINITY, 0.0, 1.0),
        ("relu_squared", 0.0, f64::INFINITY, 0.0, f64::INFINITY),
        ("sparse_plus", 0.0, f64::INFINITY, 0.0, 1.0),
        ("sparse_sigmoid", 0.0, 1.0, 0.0, 0.0),
        ("onnx_hardsigmoid", 0.0, 1.0, 0.0, 0.0),
        (
            "star_relu(2, -0.5)",
            -0.5,
            f64::INFINITY,
            0.0,
            f64::INFINITY,
        ),
        (
            "xielu(1, 0.75, 0.5)",
            f64::INFINITY,
            f64::INFINITY,
            -0.25,
            f64::INFINITY,
        ),
        ("acon_b(0.25)", f64::NEG_INFINITY, f64::INFINITY, 0.25, 1.0),
        ("acon_c(2, 0)", 0.0, f64::INFINITY, 0.0, 2.0),
        ("exp", 0.0, f64::INFINITY, 0.0, f64::INFINITY),
        ("abs", f64::INFINITY, f64::INFINITY, -1.0, 1.0),
    ] {
        let chain = activation(text);
        let found = [
            value(&chain, -inf),
            value(&chain, inf),
            slope(&chain, -inf),
            slope(&chain, inf),
        ];
        // What falls like 1 / x has not quite reached zero at the far point that stands for infinity.
        let found = found.map(|v| if v.abs() < 1e-90 { 0.0 } else { v });
        assert_eq!(found, [down, up, slope_down, slope_up], "{text}");
    }
}

#[test]
fn nan_gives_nan() {
    for activation in Activation::ALL {
        let chain = Chain::from(*activation);
        assert!(value(&chain, f32::NAN).is_nan(), "{chain}");
        assert!(slope(&chain, f32::NAN).is_nan(), "{chain}");
        assert!(
            reference::backward(&chain, &[1.0], &[f32::NAN]).unwrap()[0].is_nan(),
            "{chain}"
        );
    }
}

#[test]
fn a_chain_is_its_steps_one_after_another() {
    let chain = activation("scale(0.5) | silu | scale(-3) | tanh");
    for x in [-4.0f32, -0.3, 0.0, 1.7] {
        let half = f64::from(x) * 0.5;
        let silu = half / (1.0 + (-half).exp());
        assert!((value(&chain, x) - (-3.0 * silu).tanh()).abs() < 1e-15);
    }
}

/// The gradient with respect to a parameter is the difference quotient of values.
#[test]
fn gradients_of_parameters_are_differences_of_values() {
    for activation in Activation::ALL {
        for parameter in activation.learnable() {
            let at = activation.parameters().iter().position(|p| *p == parameter);
            let middle = activation.values()[at.unwrap()];
            let step = nonlin::Step::from(*activation);
            let chain = Chain::new().step(step.clone().with(parameter, "p").unwrap());
            let knots = |p: f32| {
                let moved = step.clone().with(parameter, p).unwrap();
                moved.activation().unwrap().knots()
            };
            // No knot passes x on the way.
            let ends = [knots(middle - 1.0 / 128.0), knots(middle + 1.0 / 128.0)];
            for i in -300..300 {
                let x = [i as f32 / 32.0 + 0.01];
                let is_above = |knot: &f64| *knot < f64::from(x[0]);
                if ends[0]
                    .iter()
                    .map(is_above)
                    .ne(ends[1].iter().map(is_above))
                {
                    continue;
                }
                let values = nonlin::Values::new().arg("p", &[middle]);
                let got = reference::gradient(&chain, &x, &[1.0f32], &values, "p").unwrap()[0];
                let value = |p: f32| {
                    let values = nonlin::Values::new().arg("p", &[p]);
                    reference::forward_with(&chain, &x, &values).unwrap()[0]
                };
                let difference = |h: f32| {
                    let (up, down) = (middle + h, middle - h);
                    (value(up) - value(down)) / f64::from(up - down)
                };
                let (coarse, fine) = (difference(1.0 / 128.0), difference(1.0 / 256.0));
                let want = fine + (fine - coarse) / 3.0;
                let near = (got - want).abs() <= 1e-4 * want.abs().max(1.0);
                assert!(
                    near,
                    "{activation}: d_{parameter} at {} is {got}, not {want}",
                    x[0]
                );
            }
        }
    }
}

/// The hash of what f64 rounds to, of all inputs.
fn rounded<T: Element>(chain: &Chain, pass: Pass) -> u64 {
    let x = nearest::every_half::<T>();
    let wants = match pass {
        Pass::Forward => reference::forward(chain, &x),
        _ => reference::backward(chain, &x, &vec![T::from_f64(1.0); x.len()]),
    };
    let results: Vec<T> = wants.unwrap().into_iter().map(T::from_f64).collect();
    nearest::hash(&results)
}

/// Where a tie is broken by digits that f64 does not hold: x / 2 + x^2 / 4 for a subnormal x, say. What is counted as
/// misrounded passes either number there (src/check/expected.rs).
const BEYOND_F64: [&str; 12] = [
    "silu forward bf16",
    "swish forward bf16",
    "quick_gelu forward bf16",
    "gelu forward bf16",
    "gelu_tanh forward bf16",
    "hardswish forward bf16",
    "tanhshrink backward bf16",
    "xielu forward bf16",
    "acon_b forward bf16",
    "acon_c forward bf16",
    "situ forward bf16",
    "onednn_hardswish forward bf16",
];

/// Rounded to f16 and bf16, f64 is what mpmath says: so what is counted as misrounded is.
#[test]
fn rounded_to_16_bits_it_is_what_mpmath_says() {
    let mut wrong = Vec::new();
    for line in nearest::lines() {
        let chain = Chain::from(line.activation);
        let found = match line.dtype {
            "f16" => rounded::<half::f16>(&chain, line.pass),
            _ => rounded::<half::bf16>(&chain, line.pass),
        };
        if found != line.hash {
            wrong.push(format!(
                "{} {} {}",
                line.activation.name(),
                line.pass,
                line.dtype
            ));
        }
    }
    assert_eq!(wrong, BEYOND_F64);
}
