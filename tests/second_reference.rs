//! Double backward without a GPU: the reference's second derivatives are differences of its derivatives, chains have what a
//! chain has, and what has none says so.

use nonlin::{
    Activation, Chain, ChainError, Custom, Error, LayerError, Limits, Memory, Operand, Operands,
    Pass, Recipe, Values, check, layers, reference,
};

const INFINITY: f32 = f32::INFINITY;

fn parsed(text: &str) -> Chain {
    text.parse().unwrap()
}

/// ddy and dx at one x.
fn second(chain: &Chain, x: f32, dy: f32, ddx: f32, values: &Values) -> [f64; 2] {
    let [ddy, dx] = reference::double_backward_with(chain, &[x], &[dy], &[ddx], values).unwrap();
    [ddy[0], dx[0]]
}

/// The derivative by differences of another, whose error is taken out by a second one with half the step.
fn difference(of: impl Fn(f32) -> f64, x: f32) -> f64 {
    let by = |h: f32| (of(x + h) - of(x - h)) / f64::from(2.0 * h);
    let (coarse, fine) = (by(1.0 / 256.0), by(1.0 / 512.0));
    fine + (fine - coarse) / 3.0
}

fn agrees(chain: &Chain, values: &Values, knots: &[f64], tolerance: f64) {
    let slope = |x: f32| reference::backward_with(chain, &[x], &[1.0f32], values).unwrap()[0];
    for i in -1500..1500 {
        let x = i as f32 / 128.0 + 0.001953125;
        if knots.iter().any(|knot| (f64::from(x) - knot).abs() < 0.02) {
            continue;
        }
        let want = [3.0 * slope(x), -6.0 * difference(slope, x)];
        let got = second(chain, x, -2.0, 3.0, values);
        for (got, want) in got.into_iter().zip(want) {
            assert!(
                (got - want).abs() < tolerance * want.abs().max(1.0),
                "{chain} at {x}: {got} against {want}"
            );
        }
    }
}

#[test]
fn second_derivatives_are_differences_of_derivatives() {
    let others = [
        "swish(beta=0.3)",
        "swish(-2)",
        "leaky_relu(-1.5)",
        "softplus(2.5, 3)",
        "elu(0.3)",
        "celu(2)",
        "celu(-3)",
        "squareplus(0.5)",
        "onnx_hardsigmoid(-0.7, 0.1)",
        "sine(2)",
    ];
    let own = Activation::ALL.iter().copied().map(Chain::from);
    let mut count = 0;
    for chain in own.chain(others.map(parsed)) {
        if chain.supports(Pass::DoubleBackward).is_err() {
            continue;
        }
        let knots = chain.steps()[0].activation().unwrap().knots();
        agrees(&chain, &Values::new(), &knots, 1e-7);
        count += 1;
    }
    assert_eq!(count, 31 + others.len());
}

/// Terms of all steps, what stands before and behind them, operands, branches, what is linear.
#[test]
fn chains_have_what_a_chain_has() {
    let values = Values::new().arg("b", &[0.25]).arg("g", &[1.5]);
    for text in [
        "scale(0.5) | silu | scale(2)",
        "mish | scale(-3) | gelu_tanh | tanh",
        "tanh | bias(1) | exp",
        "bias(0.5) | sigmoid | sine(3) | identity | softplus",
    ] {
        agrees(&parsed(text), &Values::new(), &[], 1e-6);
    }
    for text in [
        "bias(@b) | tanh | gate(@g | erf) | sine(2)",
        "swish(beta=@g) | residual(@b) | sigmoid",
        "gate(@g) | relu | tanh | scale(@b)",
    ] {
        agrees(&parsed(text), &values, &[0.0], 1e-6);
    }
}

#[test]
fn where_nothing_bends_nothing_passes() {
    let of =
        |text: &str, x: f32, dy: f32, ddx: f32| second(&parsed(text), x, dy, ddx, &Values::new());
    // A mask's zero annihilates what is infinite, in both results.
    assert_eq!(of("relu", -1.0, INFINITY, INFINITY), [0.0, 0.0]);
    assert_eq!(of("relu", 1.0, INFINITY, 2.0), [2.0, 0.0]);
    assert_eq!(of("elu", 1.0, INFINITY, 2.0), [2.0, 0.0]);
    assert_eq!(of("softplus", 30.0, 1.0, INFINITY), [f64::INFINITY, 0.0]);
    assert_eq!(of("scale(3)", 1.0, INFINITY, 2.0), [6.0, 0.0]);
    // A second derivative that happens to be zero does not.
    let [ddy, dx] = of("tanh", 0.0, INFINITY, 2.0);
    assert!(ddy == 2.0 && dx.is_nan());
    // NaN is never lost, but for a dy that ddy does not depend on.
    let nan = f32::NAN;
    for text in ["relu", "tanh", "scale(3) | bias(1)"] {
        let [ddy, dx] = of(text, 1.0, nan, 2.0);
        assert!(ddy.is_finite() && dx.is_nan(), "{text}");
        for [ddy, dx] in [of(text, nan, 1.0, 2.0), of(text, 1.0, 1.0, nan)] {
            // A linear chain's derivative does not depend on x.
            assert!(
                (ddy.is_nan() || text.starts_with("scale")) && dx.is_nan(),
                "{text}"
            );
        }
    }
}

#[test]
fn what_has_none_says_so() {
    let refused = |text: &str| parsed(text).supports(Pass::DoubleBackward).unwrap_err();
    for (text, step, name) in [
        ("erf", 1, "erf"),
        ("scale(2) | hardswish", 2, "hardswish"),
        ("silu | bias(1) | snake", 3, "snake"),
        ("softmax", 1, "softmax"),
        ("tanh | rms_norm", 2, "rms_norm"),
    ] {
        let told = refused(text);
        let is_told = matches!(
            &told,
            Error::Chain(ChainError::NoSecondDerivative { step: s, name: n, .. })
                if *s == step && n == name
        );
        assert!(is_told, "{text}: {told}");
        let of = reference::double_backward(&parsed(text), &[1.0f32], &[1.0f32], &[1.0f32]);
        assert_eq!(of.unwrap_err(), told);
    }
    let told = refused("silu | erf").to_string();
    assert_eq!(
        told,
        "step 2: erf has no second derivative here: nobody has written it yet"
    );
    let lengths = reference::double_backward(&parsed("tanh"), &[1.0f32], &[1.0f32], &[1.0f32; 2]);
    assert!(lengths.unwrap_err().to_string().contains("ddx"));
    let layer = "frelu".parse().unwrap();
    let images = layers::Images {
        samples: 1,
        channels: 1,
        height: 3,
        width: 3,
        order: layers::Order::Nchw,
    };
    let nothing = nonlin::LayerOperands::new();
    let pass = Pass::DoubleBackward;
    let dtype = nonlin::DType::F32;
    let recipe = Recipe::layer(&layer, &images, pass, dtype, &nothing, &Limits::default());
    assert_eq!(
        recipe.unwrap_err(),
        Error::Layer(LayerError::NoSecondDerivative { layer: "frelu" })
    );
}

/// Any chain's pass is one dispatch, of operands in their order.
#[test]
fn one_dispatch() {
    let chain = parsed("scale(@s) | tanh | gate(@g) | sine(30)");
    let at = |id, len| Operand::in_memory(Memory::External { id, size: 4096 }, 0, len);
    let operands = Operands::new()
        .x(at(0, 1000))
        .dy(at(1, 1000))
        .ddx(at(2, 1000))
        .arg("s", at(3, 1), nonlin::DType::F32)
        .arg("g", at(4, 1000), nonlin::DType::F32)
        .ddy(at(5, 1000))
        .dx(at(6, 1000));
    let pass = Pass::DoubleBackward;
    let recipe = |operands| {
        let limits = Limits::default();
        Recipe::new(&chain, pass, nonlin::DType::F32, operands, &limits)
    };
    let made = recipe(&operands).unwrap();
    let [dispatch] = made.dispatches() else {
        panic!("{} dispatches", made.dispatches().len());
    };
    let ids: Vec<_> = dispatch.bindings().iter().filter_map(|b| b.id()).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5, 6]);
    // Gradients of operands are no part of it.
    let refused = recipe(&operands.clone().grad("s", at(7, 1), nonlin::DType::F32)).unwrap_err();
    assert!(refused.to_string().contains("d_s"), "{refused}");
}

/// A wrong second derivative is rejected, and a wrong derivative; right ones are not.
#[test]
fn the_checker_can_fail() {
    let chain = parsed("scale(0.5) | tanh");
    let (x, dy, ddx) = ([0.7f32, -3.0, 0.0], [1.5f32, 2.0, 1.0], [-2.0f32, 0.5, 1.0]);
    let [ddy, dx] = reference::double_backward(&chain, &x, &dy, &ddx).unwrap();
    let rounded = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<_>>();
    let (ddy, dx) = (rounded(&ddy), rounded(&dx));
    let told = |ddy: &[f32], dx: &[f32]| {
        let reports = check::double_backward(&chain, &x, &dy, &ddx, ddy, dx).unwrap();
        reports.map(|report| report.passes())
    };
    assert_eq!(told(&ddy, &dx), [true, true]);
    let wrong = |v: &[f32]| v.iter().map(|v| v * 1.000_01).collect::<Vec<_>>();
    assert_eq!(told(&wrong(&ddy), &dx), [false, true]);
    assert_eq!(told(&ddy, &wrong(&dx)), [true, false]);
    // As long as the others, and no longer.
    let short = check::double_backward(&chain, &x, &dy, &ddx, &ddy[1..], &dx);
    assert!(short.unwrap_err().to_string().contains("ddy"));
}

#[test]
fn the_users_own_are_derived_twice() {
    let hill = Custom::from_value(
        "hill",
        "//#default width = 1.0
        fn act_hill(x: f32, width: f32) -> f32 { return 1.0 / (1.0 + x * x * width); }",
    )
    .unwrap();
    assert!(
        hill.wgsl()
            .contains("fn act_hill_d2x(x: f32, width: f32) -> f32")
    );
    let soft = Custom::from_value(
        "soft",
        "//#use math/sigmoid.wgsl
        fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub
        fn act_soft(x: f32) -> f32 { return x + m_times_sigmoid(x, 2.0 * x); }",
    )
    .unwrap();
    for own in [hill, soft] {
        agrees(&Chain::from(own.clone()), &Values::new(), &[], 1e-6);
        let chain = Chain::new().scale(0.5).step(own).act(Activation::Tanh);
        agrees(&chain, &Values::new(), &[], 1e-6);
    }
    let texts = "fn act_line(x: f32) -> f32 { return x; }
        fn act_line_dx(x: f32) -> f32 { return 1.0; }";
    let line = Custom::new("line", &[], texts).unwrap();
    let chain = Chain::from(line.clone());
    let told = chain.supports(Pass::DoubleBackward).unwrap_err();
    assert!(told.to_string().contains("act_NAME_d2x"), "{told}");
    let with = format!("{texts}\nfn act_line_d2x(x: f32) -> f32 {{ return 0.0; }}");
    let line = Custom::new("line", &[], &with).unwrap();
    assert!(
        Chain::from(line.clone())
            .supports(Pass::DoubleBackward)
            .is_ok()
    );
    let line = line.with_second_reference(|x, _| x, |_, _| 1.0, |_, _| 0.0);
    let got = second(&line.into(), 2.0, 3.0, 4.0, &Values::new());
    assert_eq!(got, [4.0, 0.0]);
    let bad = Custom::new("line", &[], &with.replace("d2x(x: f32)", "d2x(y: f32)"));
    assert!(
        bad.unwrap_err()
            .to_string()
            .contains("act_line_d2x(x: f32)")
    );
}
