//! The borders of what is allowed.

use super::*;
use crate::act::Activation;
use crate::tensor::dtype::DType;
use crate::tensor::values::Values;
use crate::ulp::ulp;

/// One ULP more than allowed must be caught, wherever it is; what is allowed must pass.
#[test]
fn the_budget_is_the_border() {
    let chain = Chain::from(Activation::Sigmoid);
    for x in [-80.0f32, -1.0, 0.3, 5.0] {
        let want = crate::reference::forward(&chain, &[x]).unwrap()[0];
        let off = |ulps: f64| (want + ulps * ulp(want)) as f32;
        assert!(forward(&chain, &[x], &[off(3.4)]).unwrap().passes(), "{x}");
        assert!(!forward(&chain, &[x], &[off(4.6)]).unwrap().passes(), "{x}");
        assert!(
            !forward(&chain, &[x], &[off(-4.6)]).unwrap().passes(),
            "{x}"
        );
    }
}

#[test]
fn one_bad_element_among_many_decides() {
    let chain = Chain::from(Activation::Relu);
    let x = vec![1.0; 10_000];
    let mut y = x.clone();
    y[7_777] = 1.00001;
    let report = forward(&chain, &x, &y).unwrap();
    assert_eq!((report.compared, report.failed), (10_000, 1));
    assert_eq!(report.worst.unwrap().index, 7_777);
}

/// Elements that need no enclosure are left out of nothing that a report says.
#[test]
fn the_short_way_finds_what_the_long_way_finds() {
    for text in [
        "silu",
        "exp",
        "softplus(2)",
        "acon_c",
        "gelu",
        "scale(3) | tanh",
    ] {
        let chain: Chain = text.parse().unwrap();
        let x = inputs(&chain, 20_000);
        let dy = vec![1.0; x.len()];
        for expected in [
            Expected::forward(&chain, &x).unwrap(),
            Expected::backward(&chain, &x, &dy).unwrap(),
        ] {
            // Errors of up to 5 ULP, a NaN, an infinity and a zero here and there.
            let got = expected
                .wants
                .iter()
                .enumerate()
                .map(|(i, want)| match i % 1013 {
                    0 => f32::NAN,
                    1 => f32::INFINITY,
                    2 => 0.0,
                    k => (want + (k as f64 / 1013.0 * 5.0 - 1.0) * ulp(*want)) as f32,
                });
            let got: Vec<f32> = got.collect();
            let judged = |index: &usize| {
                let (ulp, allowed) = expected.judge(DType::F32, *index, got[*index]);
                ulp > allowed
            };
            let report = expected.compare(&got).unwrap();
            let failed = (0..got.len()).filter(judged).count();
            assert_eq!(
                (report.compared, report.failed),
                (got.len(), failed),
                "{chain}"
            );
            assert!(failed > 0 && failed < got.len());
            assert_eq!(report.worst.unwrap().ulp, f64::INFINITY);
        }
    }
}

#[test]
fn non_finite_results_are_judged() {
    let chain = Chain::from(Activation::Silu);
    let pass = |x: f32, y: f32| forward(&chain, &[x], &[y]).unwrap().passes();
    assert!(pass(f32::NAN, f32::NAN) && !pass(f32::NAN, 0.0));
    assert!(!pass(1.0, f32::NAN) && !pass(1.0, f32::INFINITY));
    assert!(pass(f32::INFINITY, f32::INFINITY) && !pass(f32::INFINITY, 0.0));
    assert!(!pass(f32::INFINITY, f32::NAN) && !pass(f32::INFINITY, f32::NEG_INFINITY));
    assert!(pass(f32::NEG_INFINITY, 0.0) && !pass(f32::NEG_INFINITY, f32::NAN));
    assert!(!pass(f32::NEG_INFINITY, -1.0));
}

#[test]
fn subnormals_may_be_flushed_and_overflow_may_be_infinite() {
    let relu = Chain::from(Activation::Relu);
    let tiny = f32::from_bits(1000);
    assert!(
        forward(&relu, &[tiny, tiny], &[tiny, 0.0])
            .unwrap()
            .passes()
    );
    assert!(
        backward(&relu, &[tiny, tiny], &[1.0, 1.0], &[1.0, 0.0])
            .unwrap()
            .passes()
    );
    let huge = Chain::new()
        .scale(1e30)
        .scale(1e30)
        .scale(1e-30)
        .scale(1e-30);
    assert!(
        forward(&huge, &[1.0, 1.0], &[1.0, f32::INFINITY])
            .unwrap()
            .passes()
    );
    assert!(
        !forward(&huge, &[1.0], &[f32::NEG_INFINITY])
            .unwrap()
            .passes()
    );
}

#[test]
fn a_chain_is_allowed_what_its_steps_pass_on() {
    // Softplus far below zero is e^x: an error of half a ULP in 0.3 x is worth many there.
    let chain: Chain = "scale(0.3) | softplus".parse().unwrap();
    let x = -200.1f32;
    let rounded = (f64::from(0.3 * x)).exp() as f32;
    let report = forward(&chain, &[x], &[rounded]).unwrap();
    assert!(report.passes(), "{report:?}");
    assert!(report.worst.unwrap().allowed > 6.0);
    assert!(
        !forward(&chain, &[x], &[rounded * 1.00001])
            .unwrap()
            .passes()
    );
}

#[test]
fn near_a_root_the_scale_is_an_eighth() {
    let chain = Chain::from(Activation::Silu);
    let x = -1.278_464_5_f32;
    let want = crate::reference::backward(&chain, &[x], &[1.0]).unwrap()[0];
    let dx = |ulps: f64| [(want + ulps * ulp(ROOT_SCALE)) as f32];
    assert!(backward(&chain, &[x], &[1.0], &dx(3.9)).unwrap().passes());
    assert!(!backward(&chain, &[x], &[1.0], &dx(4.1)).unwrap().passes());
}

#[test]
fn where_parameters_let_terms_cancel_the_scale_is_the_terms() {
    let passes = |text: &str, x: f32, scale: f64, ulps: f64| {
        let chain: Chain = text.parse().unwrap();
        let want = crate::reference::forward(&chain, &[x]).unwrap()[0];
        let y = (want + ulps * ulp(scale)) as f32;
        forward(&chain, &[x], &[y]).unwrap().passes()
    };
    // 0.71^2 - 0.5 is nearly zero, 0.71^2 + 0.5 and 2^2 + 0.5 are not.
    assert!(passes("star_relu(1, -0.5)", 0.71, 1.0, 3.9));
    assert!(!passes("star_relu(1, -0.5)", 0.71, 1.0, 4.1));
    for x in [0.71, 2.0] {
        let scale = f64::from(x).powi(2) + 0.5;
        assert!(passes("star_relu(1, 0.5)", x, scale, 3.4), "{x}");
        assert!(!passes("star_relu(1, 0.5)", x, scale, 4.6), "{x}");
    }
}

/// Whether `d` passes for the gradient of the operand `@p`, whose one value is shared.
fn sum_passes<D: Element>(text: &str, value: f32, x: &[f32], dy: &[f32], d: D) -> bool {
    let values = Values::new().arg("p", &[value]);
    let chain: Chain = text.parse().unwrap();
    let report = gradient(&chain, x, dy, &values, "p", &[d]).unwrap();
    report.passes()
}

/// Whether the reference's gradient passes when it is off by so many units of 2^-24 of the only share that
/// is not zero, give or take the one that f32 rounds to.
fn sum_off_by(text: &str, value: f32, x: f32, dy: f32, units: f64) -> bool {
    let values = Values::new().arg("p", &[value]);
    let chain: Chain = text.parse().unwrap();
    let (x, dy) = ([x, 0.0], [dy, 0.0]);
    let want = crate::reference::gradient(&chain, &x, &dy, &values, "p").unwrap()[0];
    let got = (want + units * 2f64.powi(-24) * want) as f32;
    sum_passes(text, value, &x, &dy, got)
}

#[test]
fn a_sum_is_allowed_its_budget_and_the_summing() {
    for (text, value, x) in [
        ("prelu(weight=@p)", 0.3, -1.3),
        ("celu(alpha=@p)", 1.7, -3.1),
        ("acon_c(p1=0.7, p2=@p, beta=0.001)", 0.2, 1.2),
        // A product with 1 is not rounded.
        ("swish(beta=@p)", 1.0, -20.0),
    ] {
        for sign in [1.0, -1.0] {
            assert!(sum_off_by(text, value, x, 1.1, 6.9 * sign), "{text}");
            assert!(!sum_off_by(text, value, x, 1.1, 9.1 * sign), "{text}");
        }
    }
}

/// s (1 - s) changes by |z| ULP with one ULP of z, which swish rounds once and ACON three times.
#[test]
fn a_sum_is_allowed_the_rounding_of_a_product_with_x() {
    for (text, value, x, roundings) in [
        ("swish(beta=@p)", 1.1, -20.0, 22.0),
        ("swish(beta=@p)", -0.9, 50.0, 45.0),
        ("acon_b(p=0.25, beta=@p)", -2.182_952_6, 6.0, 3.0 * 9.82),
        ("acon_b(p=0.25, beta=@p)", 1.0, -10.0, 3.0 * 7.49),
    ] {
        for sign in [1.0, -1.0] {
            let off = |units: f64| sum_off_by(text, value, x, 1.1, units * sign);
            assert!(off(6.9 + roundings), "{text}");
            assert!(!off(9.1 + roundings), "{text}");
        }
    }
    // What a kernel that is right has given.
    let passes = |got: f32| {
        let (x, dy) = ([6.0, 3.175_702], [3.0, -0.0]);
        sum_passes("acon_b(p=0.25, beta=@p)", -2.182_952_6, &x, &dy, got)
    };
    let (got, want) = (f32::from_bits(0x3b57_aa4e), 3.290_788_3e-3);
    assert!(passes(got) && !passes(want + 4.0 * (got - want)));
}

/// Where the reference is zero and a result rightly is not, the result's ULP count.
#[test]
fn what_is_stored_is_rounded_where_it_lies() {
    use crate::half::{bf16, f16};
    // Whether sigmoid(x) is zero or subnormal decides between 1e-6 and 0.
    let xielu = "sigmoid | xielu(alpha_p=0.8, alpha_n=@p, beta=0.5, eps=-0.000001)";
    let (x, dy) = ([-125.5], [-0.949_218_75]);
    let passes = |got: bf16| sum_passes(xielu, 0.8, &x, &dy, got);
    let end = bf16::from_f64(0.949_218_75e-6);
    assert!(passes(end) && passes(bf16::from_f64(0.0)));
    assert!(!passes(bf16::from_bits(end.to_bits() + 1)));
    assert!(!passes(bf16::from_f64(-1e-8)) && !passes(bf16::from_f64(2e-6)));
    // Sums of them too.
    let passes = |got: f64| {
        sum_passes(
            xielu,
            0.8,
            &[-125.5; 8],
            &[-0.949_218_75; 8],
            bf16::from_f64(got),
        )
    };
    assert!(passes(7.593_75e-6) && !passes(7.63e-6) && !passes(-1e-8));
    // A sum that the storage dtype cannot hold is infinite or its largest value; one of large shares
    // that cancel is judged as others are.
    let (x, dy) = ([60_000.0, -59_000.0], [1.0, 1.0]);
    let passes = |x: &[f32], got: f32| sum_passes("scale(@p)", 1.0, x, &dy, f16::from_f32(got));
    assert!(passes(&x, 1000.0) && !passes(&x, 1001.0) && !passes(&x, f32::INFINITY));
    let x = [60_000.0, 59_000.0];
    assert!(passes(&x, f32::INFINITY) && passes(&x, 65_504.0));
    assert!(!passes(&x, f32::NEG_INFINITY) && !passes(&x, 65_472.0));
}

#[test]
fn inputs_reach_every_kind_of_value() {
    let x = inputs(&Chain::from(Activation::Hardswish), 30_000);
    assert!(x.len() >= 30_000);
    for wanted in [
        0.0,
        -3.0,
        3.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::from_bits(1),
    ] {
        assert!(x.contains(&wanted), "{wanted:e}");
    }
    assert!(x.iter().any(|v| v.is_nan()));
}
