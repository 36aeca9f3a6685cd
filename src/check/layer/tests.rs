//! That the checker of layers bites.

use super::*;
use crate::layers::{BatchNorm, DynamicRelu, Frelu, MetaAcon, Variant};
use half::{bf16, f16};

const TRAINING: BatchNorm = BatchNorm {
    training: true,
    eps: 1e-5,
    momentum: 0.1,
};

/// Numbers from -2 to 2.
fn numbers(count: u64, seed: u64) -> Vec<f32> {
    let mut signs = Signs(seed);
    let number = |_| (0..24).fold(0.0, |n, _| n / 2.0 + if signs.up() { 1.0 } else { -1.0 });
    (0..count).map(number).collect()
}

struct Case<T> {
    expected: ExpectedLayer,
    y: Vec<T>,
    dx: Vec<T>,
    running: Parameters,
    gradients: Parameters,
}

/// What should be, and a result that is the reference's, rounded.
fn case<T: Element>(layer: &Layer, images: &Images) -> Case<T> {
    let elements = images.elements().unwrap();
    let stored = |seed| -> Vec<T> {
        let values = numbers(elements, seed).into_iter();
        values.map(|v| T::from_f64(v.into())).collect()
    };
    let (x, dy) = (stored(1), stored(2));
    let mut parameters = Parameters::new();
    for (parameter, seed) in layer.parameters(images).unwrap().iter().zip(3..) {
        let mut values = numbers(parameter.elements().unwrap(), seed);
        if parameter.name.contains("var") {
            values.iter_mut().for_each(|v| *v = v.abs() + 0.5);
        }
        parameters = parameters.with(&parameter.name, &values);
    }
    let rounded = |values: &[f64]| values.iter().map(|v| T::from_f64(*v)).collect();
    let to_f32 = |tensors: Parameters| -> Parameters {
        let round = |values: Vec<f64>| values.iter().map(|v| f64::from(*v as f32)).collect();
        tensors.into_iter().map(|(n, v)| (n, round(v))).collect()
    };
    let outputs = layer.forward(images, &parameters, &x).unwrap();
    let gradients = layer.backward(images, &parameters, &x, &dy).unwrap();
    Case {
        expected: ExpectedLayer::new(layer, images, &parameters, &x, &dy).unwrap(),
        y: rounded(&outputs.y),
        dx: rounded(&gradients.dx),
        running: to_f32(outputs.running),
        gradients: to_f32(gradients.parameters),
    }
}

fn bites<T: Element>(layer: &Layer, images: &Images) {
    let case = case::<T>(layer, images);
    let (y, dx) = (&case.y, &case.dx);
    let reports = |y: &[T], dx: &[T], running: &Parameters, gradients: &Parameters| {
        let mut all = case.expected.forward(y, running).unwrap();
        all.extend(case.expected.backward(dx, gradients).unwrap());
        all
    };
    let right = reports(y, dx, &case.running, &case.gradients);
    for report in &right {
        assert!(report.passes(), "{} {report}", layer.name());
    }
    for (at, report) in right.iter().enumerate() {
        let index = report.compared / 2;
        // As much off as is just not allowed, and what a rounding to the dtype can take from that.
        let by = 1.01 * report.allowed + 0.01 * report.magnitude.min(1.0);
        for by in [by, -by, f64::NAN] {
            let (mut y, mut dx) = (y.clone(), dx.clone());
            let (mut running, mut gradients) = (case.running.clone(), case.gradients.clone());
            match (report.pass, report.name.as_str()) {
                (_, "y") => y[index] = T::from_f64(f64::from(y[index].to_f32()) + by),
                (_, "dx") => dx[index] = T::from_f64(f64::from(dx[index].to_f32()) + by),
                (Pass::Forward, name) => running.get_mut(name).unwrap()[index] += by,
                (_, name) => gradients.get_mut(name).unwrap()[index] += by,
            }
            let wrong = reports(&y, &dx, &running, &gradients);
            for (other, found) in wrong.iter().enumerate() {
                assert_eq!(found.passes(), other != at, "{by} {found}");
            }
            let found = wrong[at].worst.as_ref().map(|worst| worst.index);
            assert_eq!((wrong[at].failed, found), (1, Some(index)));
        }
    }
}

/// One wrong element of any tensor is found, whatever the layer.
#[test]
fn one_wrong_element_is_found() {
    let images = Images::nhwc(3, 4, 5, 8);
    let frelu = Frelu {
        bias: true,
        norm: None,
        ..Frelu::default()
    };
    let trains = Layer::from(Frelu {
        norm: Some(TRAINING),
        ..frelu
    });
    let frelu = Layer::from(frelu);
    let meta_acon = Layer::from(MetaAcon {
        norm: Some(TRAINING),
        ..MetaAcon::default()
    });
    bites::<f32>(&frelu, &images);
    bites::<f16>(&frelu, &images);
    bites::<bf16>(&trains, &images);
    bites::<f32>(&trains, &images);
    bites::<f32>(&meta_acon, &images);
    for variant in [Variant::A, Variant::B, Variant::C] {
        let dynamic = Layer::from(DynamicRelu {
            variant,
            ..DynamicRelu::default()
        });
        bites::<f32>(&dynamic, &images);
    }
}

/// What is allowed is what is written above, no more.
#[test]
fn what_is_allowed() {
    let images = Images::nchw(1, 1, 1, 2);
    let parameters = Parameters::new().with("weight", &[0.0f32; 9]);
    let layer = Layer::from(Frelu {
        norm: None,
        ..Frelu::default()
    });
    let (x, dy) = ([3.0f32, 2.0], [0.5f32, 0.25]);
    let expected = ExpectedLayer::new(&layer, &images, &parameters, &x, &dy).unwrap();
    // y is x, and moves by a last digit of it: 2^-22 at 3.
    let report = &expected.forward(&x, &Parameters::new()).unwrap()[0];
    let digit = 2f64.powi(-22);
    assert_eq!(
        (report.allowed, report.magnitude),
        (32.0 * 3.0 * ROUNDING + 32.0 * digit, 3.0)
    );
    let halves = x.map(f16::from_f32);
    let report = &expected.forward(&halves, &Parameters::new()).unwrap()[0];
    assert_eq!(
        report.allowed,
        32.0 * 3.0 * ROUNDING + 32.0 * digit + 3.0 * 2f64.powi(-11)
    );
}

#[test]
fn other_tensors_than_wanted_are_refused() {
    let layer = Layer::from(MetaAcon {
        norm: Some(TRAINING),
        ..MetaAcon::default()
    });
    let Case {
        expected,
        y,
        dx,
        running,
        gradients,
    } = case::<f32>(&layer, &Images::nchw(3, 2, 2, 2));
    let bad = |result: Result<Vec<LayerReport>, Error>| result.unwrap_err();
    let short = bad(expected.forward(&y[1..], &running));
    assert!(matches!(
        short,
        Error::Layer(LayerError::BadTensor { len: 23, .. })
    ));
    let missing = bad(expected.forward(&y, &Parameters::new()));
    assert!(
        matches!(missing, Error::Layer(LayerError::MissingTensor { name, .. }) if name.starts_with("running"))
    );
    for name in ["p3", "dx", "running_mean1"] {
        let more = gradients.clone().with(name, &[1.0f32]);
        let unknown = bad(expected.backward(&dx, &more));
        assert!(
            matches!(unknown, Error::Layer(LayerError::UnknownTensor { name: found, .. }) if found == name)
        );
    }
    let instead = |name, len| {
        expected
            .clone()
            .instead(Pass::Backward, name, vec![0.0; len])
    };
    assert!(matches!(
        instead("p3", 2),
        Err(Error::Layer(LayerError::UnknownTensor { .. }))
    ));
    assert!(matches!(
        instead("p1", 3),
        Err(Error::Layer(LayerError::BadTensor { .. }))
    ));
    let zeros = instead("p1", 2).unwrap();
    let reports = zeros.backward(&dx, &gradients).unwrap();
    let failed: Vec<_> = reports.iter().filter(|r| !r.passes()).collect();
    assert_eq!((failed.len(), failed[0].name.as_str()), (1, "p1"));
}

/// A reference without bounds allows nothing, and one that turns says nothing.
#[test]
fn what_cannot_be_compared_fails() {
    let (images, layer) = (
        Images::nchw(1, 1, 1, 2),
        Layer::from(Frelu {
            norm: None,
            ..Frelu::default()
        }),
    );
    let none = Parameters::new();
    let infinite = Parameters::new().with("weight", &[f64::INFINITY; 9]);
    let expected = ExpectedLayer::new(&layer, &images, &infinite, &[1f32, 1.0], &[1f32, 1.0]);
    let expected = expected.unwrap();
    let right = [f32::INFINITY; 2];
    assert!(expected.forward(&right, &none).unwrap()[0].passes());
    let wrong = [f32::INFINITY, f32::MAX];
    assert!(!expected.forward(&wrong, &none).unwrap()[0].passes());
    // The window is x itself: which of the two takes dy hangs on a last digit.
    let mut window = [0.0f32; 9];
    window[4] = 1.0;
    let tie = Parameters::new().with("weight", &window);
    let expected = ExpectedLayer::new(&layer, &images, &tie, &[1f32, 1.0], &[1f32, 1.0]).unwrap();
    let report = &expected.forward(&[1f32, 1.0], &none).unwrap()[0];
    assert!(report.passes(), "{report}");
    let gradients = layer.backward(&images, &tie, &[1f32, 1.0], &[1f32, 1.0]);
    let gradients = gradients.unwrap();
    let dx: Vec<f32> = gradients.dx.iter().map(|v| *v as f32).collect();
    let reports = expected.backward(&dx, &gradients.parameters).unwrap();
    let blunt = reports.iter().find(|report| report.blunt).unwrap();
    assert!(blunt.failed == 0 && !blunt.passes(), "{blunt}");
    assert!(blunt.to_string().contains("nothing is compared"), "{blunt}");
    // Zeros, which a kernel that never ran may leave.
    let none_at_all = [0f32; 2];
    let zeros = ExpectedLayer::new(&layer, &images, &tie, &none_at_all, &[1f32, 1.0]).unwrap();
    let report = &zeros.forward(&none_at_all, &none).unwrap()[0];
    assert!(report.failed == 0 && !report.passes(), "{report}");
    assert!(report.to_string().contains("zero everywhere"), "{report}");
}
