//! `nonlin run` on layers, with the reference on the CPU.

use crate::common::layers::{Case, cases, some};
use crate::common::operands::{Order, npy};
use crate::{contents, run};
use nonlin::Element;
use nonlin::half::{bf16, f16};
use nonlin::layers::{BatchNorm, DynamicRelu, Frelu, Images, Layer, MetaAcon, Parameters, Variant};
use std::fs;

/// Half a unit of f32 in the last place, and some for PyTorch's sums in f64.
const ROUNDED_ONCE: f64 = 6.1e-8;

#[test]
fn results_are_those_of_pytorch() {
    for case in cases() {
        case.check(&["--cpu"], ROUNDED_ONCE);
    }
}

/// Each case with one more setting than it has.
#[test]
fn options_make_a_difference() {
    for (name, options) in [
        ("frelu_evaluation", &["--set", "eps=0.5"][..]),
        ("frelu_training", &["--set", "momentum=0.5"]),
        ("meta_acon_evaluation", &["--set", "eps=0.5"]),
        ("dynamic_a", &["--set", "lambda_slope=0.5"]),
        ("dynamic_b", &["--set", "lambda_intercept=1"]),
        ("dynamic_b", &["--set", "initial_slopes=1,0.5"]),
        ("dynamic_b", &["--set", "initial_intercepts=0.5"]),
        ("dynamic_c", &["--set", "temperature=1"]),
        ("dynamic_c", &["--set", "gamma=3"]),
    ] {
        let case = &some(&[name])[0];
        let results = case.run(Order::C, &[options, &["--cpu"]].concat());
        let changes = |(name, got): (&String, _)| case.results[name].apart(got) > 1e-3;
        assert!(results.iter().any(changes), "{name} {options:?}");
    }
}

/// Images of 16 bits are computed on as they are, and rounded once; parameters are f32, and so are their gradients.
fn rounded_once<T: Element>(images: Order, case: &Case, layer: &Layer, of: &Images) {
    let values = |name: &str| -> Vec<T> {
        let values = case.inputs[name].values.iter();
        values.map(|value| T::from_f64(*value)).collect()
    };
    let mut parameters = Parameters::new();
    for (name, tensor) in &case.inputs {
        if name != "x" && name != "dy" {
            parameters = parameters.with(name, &tensor.values);
        }
    }
    let (x, dy) = (values("x"), values("dy"));
    let outputs = layer.forward(of, &parameters, &x).unwrap();
    let gradients = layer.backward(of, &parameters, &x, &dy).unwrap();
    let got = case.run(images, &["--cpu", "--dtype", T::DTYPE.name()]);
    for (name, got) in &got {
        let at = format!("{} {name}", case.name);
        let (values, is_image) = match name.split_once('.') {
            None => (&outputs.y[..], true),
            Some(("d", "x")) => (&gradients.dx[..], true),
            Some(("d", name)) => (gradients.parameters.get(name).unwrap(), false),
            Some((_, name)) => (outputs.running.get(name).unwrap(), false),
        };
        let want: Vec<f64> = match is_image {
            true => {
                let values = values.iter();
                values.map(|v| T::from_f64(*v).to_f32().into()).collect()
            }
            false => values.iter().map(|v| f64::from(*v as f32)).collect(),
        };
        assert_eq!(got.values, want, "{at}");
        let half = is_image && images == Order::Half;
        assert_eq!(got.order == Order::Half, half, "{at}");
        assert_eq!(got.shape, case.results[name].shape, "{at}");
    }
}

#[test]
fn sixteen_bits_are_rounded_once() {
    let frelu = Layer::from(Frelu {
        norm: Some(BatchNorm {
            training: true,
            ..BatchNorm::default()
        }),
        bias: true,
        ..Frelu::default()
    });
    let meta_acon = Layer::from(MetaAcon {
        minimum: 4,
        ..MetaAcon::default()
    });
    let dynamic = Layer::from(DynamicRelu {
        variant: Variant::C,
        ..DynamicRelu::default()
    });
    let [of_frelu, of_meta_acon, of_dynamic] =
        &some(&["frelu_training_bias", "meta_acon_last", "dynamic_c"])[..]
    else {
        panic!("three cases")
    };
    let images = Images::nhwc(3, 3, 5, 2);
    rounded_once::<f16>(Order::Half, of_frelu, &frelu, &images);
    rounded_once::<bf16>(Order::C, of_frelu, &frelu, &images);
    let images = Images::nhwc(2, 3, 5, 6);
    rounded_once::<f16>(Order::Half, of_meta_acon, &meta_acon, &images);
    rounded_once::<bf16>(Order::C, of_meta_acon, &meta_acon, &images);
    let images = Images::nchw(2, 6, 3, 5);
    rounded_once::<f16>(Order::Half, of_dynamic, &dynamic, &images);
    rounded_once::<bf16>(Order::C, of_dynamic, &dynamic, &images);
}

/// A folder with images of 2 x 3 x 4 x 5 and others, some parameters, and old results.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, shape, count) in [
        ("x.npy", "(2, 3, 4, 5)", 120),
        ("dy.npy", "(2, 3, 4, 5)", 120),
        ("dy_last.npy", "(2, 4, 5, 3)", 120),
        ("x234.npy", "(2, 3, 4)", 24),
        ("x0.npy", "(0, 3, 4, 5)", 0),
        ("x1.npy", "(1, 3, 1, 1)", 3),
        ("w.npy", "(3, 1, 3, 3)", 27),
        ("w_flat.npy", "(3, 3, 3)", 27),
        ("w_last.npy", "(5, 1, 3, 3)", 45),
        ("c.npy", "(3,)", 3),
        ("c4.npy", "(4,)", 4),
        ("c_row.npy", "(1, 3)", 3),
        ("c_last.npy", "(1, 1, 1, 3)", 3),
        ("fc.npy", "(16, 3)", 48),
        ("fc_turned.npy", "(3, 16)", 48),
        ("c16.npy", "(16,)", 16),
    ] {
        let bytes = npy(shape, Order::C, &vec![1.0; count]);
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    for name in ["y.npy", "dx.npy", "dw.npy"] {
        fs::write(folder.path().join(name), b"old").unwrap();
    }
    folder
}

/// What all of a batch norm's parameters and the window's are given with.
const NORM: &str = "--arg weight=w.npy --arg bn_weight=c.npy --arg bn_bias=c.npy --arg running_mean=c.npy \
                    --arg running_var=c.npy";

const LINEAR: &str = "--arg p1=c.npy --arg p2=c.npy --arg fc1_weight=fc.npy --arg fc1_bias=c16.npy --arg \
                      fc2_bias=c.npy";

/// Each of these runs, with its options as one text, is refused with a message, and writes nothing.
fn refuses(cases: &[(&str, &str)]) {
    let folder = folder();
    let before = contents(folder.path());
    for (args, message) in cases {
        let split: Vec<_> = args.split(' ').filter(|word| !word.is_empty()).collect();
        run(folder.path(), &split).refused(message);
        assert_eq!(contents(folder.path()), before, "{args}");
    }
}

#[test]
fn wrong_images_are_refused() {
    let norm = |text: &str| format!("frelu --y y.npy {NORM} {text}");
    refuses(&[
        (
            &norm("--x x234.npy"),
            "frelu works on images: x must be N x C x H x W, or N x H x W x C with --channel-axis -1; x234.npy \
             has the shape (2, 3, 4)",
        ),
        (
            &norm("--x x.npy --channel-axis 2"),
            "--channel-axis 2: frelu takes images of N x C x H x W, whose channel axis is 1, or N x H x W x C, \
             whose channel axis is -1",
        ),
        (
            &norm("--x x.npy --channel-axis -4"),
            "--channel-axis -4: frelu takes images of N x C x H x W, whose channel axis is 1, or N x H x W x C, \
             whose channel axis is -1",
        ),
        (
            &norm("--x x0.npy"),
            "images of 0 samples, 3 channels, 4 rows, 5 columns: each length must be at least 1",
        ),
        (
            &norm("--x x1.npy --set norm=train"),
            "images of 1 samples, 3 channels, 1 rows, 1 columns: a batch norm in training needs more than one \
             value per channel",
        ),
        (
            &norm("--x x.npy --dy dy_last.npy --dx dx.npy"),
            "x.npy has the shape (2, 3, 4, 5) but dy_last.npy has (2, 4, 5, 3); they must agree",
        ),
    ]);
}

#[test]
fn wrong_parameters_are_refused() {
    let plain = "frelu --set norm=none --x x.npy --y y.npy";
    let known = "weight, bn_weight, bn_bias, running_mean, running_var";
    let backward = "--dy dy.npy --dx dx.npy";
    refuses(&[
        (
            plain,
            "frelu needs the parameter weight, of shape [3, 1, 3, 3]: --arg weight=FILE",
        ),
        (
            "frelu --x x.npy --y y.npy --arg weight=w.npy --arg bn_weight=c.npy",
            "frelu needs the parameter bn_bias, of shape [3]: --arg bn_bias=FILE",
        ),
        (
            &format!("{plain} --arg weight=w.npy --arg bias=c.npy"),
            "--arg bias: frelu has no parameter \"bias\" here; it has weight",
        ),
        (
            &format!("frelu --x x.npy --y y.npy {NORM} --arg gamma=c.npy"),
            &format!("--arg gamma: frelu has no parameter \"gamma\" here; it has {known}"),
        ),
        (
            &format!("{plain} --arg weight=w.npy --arg weight=w.npy"),
            "--arg weight is given twice",
        ),
        // Shapes.
        (
            &format!("{plain} --arg weight=w_flat.npy"),
            "--arg weight: w_flat.npy has the shape (3, 3, 3), but frelu needs (3, 1, 3, 3)",
        ),
        (
            &format!("{plain} --arg weight=w.npy --set kernel=3x5"),
            "--arg weight: w.npy has the shape (3, 1, 3, 3), but frelu needs (3, 1, 3, 5)",
        ),
        (
            &format!("{plain} --arg weight=w.npy --channel-axis -1"),
            "--arg weight: w.npy has the shape (3, 1, 3, 3), but frelu needs (5, 1, 3, 3)",
        ),
        (
            &format!("{plain} --set bias=true --arg weight=w.npy --arg bias=c4.npy"),
            "--arg bias: c4.npy has the shape (4,), but frelu needs (3,) or (3, 1, 1) or (1, 3, 1, 1)",
        ),
        (
            &format!("{plain} --set bias=true --arg weight=w.npy --arg bias=c_row.npy"),
            "--arg bias: c_row.npy has the shape (1, 3), but frelu needs (3,) or (3, 1, 1) or (1, 3, 1, 1)",
        ),
        (
            &format!("{plain} --set bias=true --arg weight=w.npy --arg bias=c_last.npy"),
            "--arg bias: c_last.npy has the shape (1, 1, 1, 3), but frelu needs (3,) or (3, 1, 1) or \
             (1, 3, 1, 1)",
        ),
        (
            &format!(
                "{plain} --set bias=true --arg weight=w_last.npy --arg bias=c.npy --channel-axis 3"
            ),
            "--arg bias: c.npy has the shape (3,), but frelu needs (5,) or (5, 1, 1) or (1, 5, 1, 1) or \
             (1, 1, 1, 5)",
        ),
        (
            &format!("meta_acon --x x.npy --y y.npy {LINEAR} --arg fc2_weight=fc.npy"),
            "--arg fc2_weight: fc.npy has the shape (16, 3), but meta_acon needs (3, 16) or (3, 16, 1, 1)",
        ),
        // Gradients and running statistics.
        (
            &format!("frelu --x x.npy --y y.npy {backward} {NORM} --grad wieght=dw.npy"),
            &format!("--grad wieght: frelu has no parameter \"wieght\" here; it has {known}"),
        ),
        (
            &format!("frelu --x x.npy {backward} {NORM} --grad running_mean=dw.npy"),
            "--grad running_mean: running statistics have no gradient",
        ),
        (
            &format!("frelu --x x.npy {backward} {NORM} --grad weight=dw.npy --grad weight=a.npy"),
            "--grad weight is given twice",
        ),
        (
            &format!("frelu --x x.npy {NORM} --new running_mean=dw.npy"),
            "--new running_mean: running statistics are new with --set norm=train only",
        ),
        (
            &format!("frelu --set norm=train --x x.npy {NORM} --new weight=dw.npy"),
            "--new weight: it is no running statistic",
        ),
        (
            &format!(
                "frelu --set norm=train --x x.npy {NORM} --new running_var=dw.npy --new running_var=a.npy"
            ),
            "--new running_var is given twice",
        ),
        (
            &format!("{plain} --arg weight=w.npy --new running_mean=dw.npy"),
            "--new running_mean: frelu has no parameter \"running_mean\" here; it has weight",
        ),
    ]);
}

#[test]
fn wrong_settings_are_refused() {
    let with = |layer: &str, settings: &str| format!("{layer} --x x.npy --y y.npy {settings}");
    let lines = "k, reduction, lambda_slope, lambda_intercept, initial_slopes, initial_intercepts";
    refuses(&[
        // Keys.
        (
            &with("frelu", "--set kernal=3"),
            "--set kernal=3: frelu has no setting of that name; it has kernel, bias, light, norm, eps, momentum",
        ),
        (
            &with("dyrelu_b", "--set temperature=3"),
            &format!("--set temperature=3: dyrelu_b has no setting of that name; it has {lines}"),
        ),
        (
            &with("dyrelu_c", "--set variant=a"),
            &format!(
                "--set variant=a: dyrelu_c has no setting of that name; it has {lines}, temperature, gamma"
            ),
        ),
        (
            &with("meta_acon", "--set minimum=4 --set minimum=8"),
            "--set minimum is given twice",
        ),
        // Values.
        (
            &with("frelu", "--set kernel=3,3"),
            "--set kernel=3,3: kernel must be one odd length up to 7, such as 3, or height x width, such as 3x1",
        ),
        (
            &with("frelu", "--set bias=1"),
            "--set bias=1: bias must be true or false",
        ),
        (
            &with("meta_acon", "--set norm=evaluation"),
            "--set norm=evaluation: norm must be none, eval or train",
        ),
        (
            &with("meta_acon", "--set reduction=-1"),
            "--set reduction=-1: reduction must be a whole number",
        ),
        (
            &with("frelu", "--set eps=small"),
            "--set eps=small: eps must be a number",
        ),
        (
            &with("dyrelu_a", "--set initial_slopes=1,,2"),
            "--set initial_slopes=1,,2: initial_slopes must be numbers with commas between them, such as 1,0.5",
        ),
        (
            &with("dynamic_relu", "--set variant=d"),
            "--set variant=d: variant must be a, b or c",
        ),
        // What the library says of values.
        (
            &with("frelu", "--set kernel=4x3"),
            "frelu: kernel must be odd and at most 7 both ways, not (4, 3)",
        ),
        (
            &with("frelu", "--set eps=nan"),
            "frelu: eps must be finite and not negative, not NaN",
        ),
        (
            &with("frelu", "--set norm=train --set momentum=2"),
            "frelu: momentum must be from 0 to 1, not 2.0",
        ),
        (
            &with("meta_acon", "--set reduction=0"),
            "meta_acon: reduction must be at least 1, not 0",
        ),
        (
            &with("dyrelu_a", "--set k=5"),
            "dyrelu_a: k must be from 1 to 4, not 5",
        ),
        (
            &with("dyrelu_b", "--set lambda_slope=inf"),
            "dyrelu_b: lambda_slope must be finite, not inf",
        ),
        (
            &with("dyrelu_b", "--set initial_slopes=1,2,3"),
            "dyrelu_b: initial_slopes must be at most 2 finite numbers, not [1.0, 2.0, 3.0]",
        ),
        (
            &with("dyrelu_c", "--set gamma=0"),
            "dyrelu_c: gamma must be positive and finite, not 0.0",
        ),
        // What changes nothing.
        (
            &with("frelu", "--set norm=none --set eps=0.1"),
            "--set eps=0.1 changes nothing without --set norm=eval or train",
        ),
        (
            &with("meta_acon", "--set eps=0.1"),
            "--set eps=0.1 changes nothing without --set norm=eval or train",
        ),
        (
            &with("frelu", "--set momentum=0.1"),
            "--set momentum=0.1 changes nothing without --set norm=train",
        ),
        (
            &with("dynamic_relu", "--set gamma=3"),
            "--set gamma=3 changes nothing without --set variant=c",
        ),
    ]);
}

#[test]
fn options_for_others_are_refused() {
    let train = format!("frelu --set norm=train --x x.npy {NORM}");
    let layer = |name: &str| {
        format!(
            "{name} is a layer: it runs alone, as in nonlin run {name}, and takes its settings from --set"
        )
    };
    let folder = folder();
    // Chains hold spaces.
    for (chain, message) in [
        ("silu | frelu", layer("frelu")),
        ("frelu(kernel=3)", layer("frelu")),
        ("scale(2) | dyrelu_a | scale(3)", layer("dyrelu_a")),
    ] {
        run(folder.path(), &[chain, "--x", "x.npy", "--y", "y.npy"]).refused(&message);
    }
    refuses(&[
        (
            &format!("{train} --y y.npy --seed 0"),
            "--seed is for chains with dropout or rrelu; frelu is a layer",
        ),
        (
            &format!("{train} --y y.npy --offset 0"),
            "--offset is for chains with dropout or rrelu; frelu is a layer",
        ),
        (
            "silu --x x.npy --y y.npy --set kernel=3",
            "--set is for layers, such as frelu; silu is a chain",
        ),
        (
            "silu --x x.npy --y y.npy --new running_mean=dw.npy",
            "--new is for layers, such as frelu; silu is a chain",
        ),
        // Files.
        (
            &format!("{train} --y y.npy --new running_mean=./y.npy"),
            "--new running_mean and --y are the same file, ./y.npy",
        ),
        (
            &format!("{train} --new running_mean=c.npy"),
            "--new running_mean and --arg bn_weight are the same file, c.npy",
        ),
        (
            &format!("{train} --y w.npy"),
            "--y and --arg weight are the same file, w.npy",
        ),
    ]);
}

#[test]
fn wrong_usage_of_layers() {
    let folder = folder();
    let before = contents(folder.path());
    let start = ["frelu", "--x", "x.npy", "--arg", "weight=w.npy"];
    let needs = "a key, = and a value are needed, as in kernel=3";
    for (options, wanted) in [
        (&["--y", "y.npy", "--set", "kernel"][..], needs),
        (&["--y", "y.npy", "--set", "kernel="], needs),
        (
            &["--new", "running_mean"],
            "a name, = and a file are needed",
        ),
        (&["--y", "y.npy", "--grad", "weight=dw.npy"], "--dy <FILE>"),
        (&["--set", "norm=none"], "--new <NAME=FILE>"),
    ] {
        let ran = run(folder.path(), &[&start, options].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
        assert!(ran.stderr.contains(wanted), "{options:?}: {}", ran.stderr);
    }
    assert_eq!(contents(folder.path()), before);
}

/// The last result cannot be written: none is.
#[test]
fn results_appear_together() {
    let folder = folder();
    let before = contents(folder.path());
    let args = format!(
        "frelu --set norm=train --x x.npy {NORM} --y y.npy --new running_mean=new.npy --dy dy.npy --dx dx.npy \
         --grad weight=no/dw.npy"
    );
    let ran = run(folder.path(), &args.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, Some(2));
    let message = "nonlin: cannot write no/dw.npy: ";
    assert!(ran.stderr.starts_with(message), "{}", ran.stderr);
    assert_eq!(contents(folder.path()), before);
}

/// Each result alone, with what is told of it. All of x is 1, and so is the window: T counts places.
#[test]
fn results_alone() {
    let folder = folder();
    let told = |results: &str| {
        let args = format!("frelu --set norm=train --x x.npy {NORM} {results}");
        let text = run(folder.path(), &args.split(' ').collect::<Vec<_>>()).fine();
        text.split_once('\n').unwrap().1.to_owned()
    };
    assert_eq!(
        told("--new running_mean=m.npy"),
        "m.npy  (3,) f32  new running_mean of frelu\n"
    );
    // Rows of 2, 3, 3, 2 by columns of 2, 3, 3, 3, 2 places: 130 of 20. A tenth of 6.5 beside nine of 1.
    let m = fs::read(folder.path().join("m.npy")).unwrap();
    assert_eq!(m[128..], 1.55f32.to_le_bytes().repeat(3));
    assert_eq!(
        told("--dy dy.npy --grad bn_bias=db.npy"),
        "db.npy  (3,) f32  gradient of bn_bias in frelu\n"
    );
    assert_eq!(
        told("--dy dy.npy --dx dx.npy"),
        "dx.npy  (2, 3, 4, 5) f32  backward of frelu\n"
    );
    assert_eq!(
        told("--y y.npy"),
        "y.npy  (2, 3, 4, 5) f32  forward of frelu\n"
    );
}

#[test]
fn files_are_converted_with_a_note() {
    let folder = folder();
    let path = folder.path().join("half.npy");
    fs::write(path, npy("(3, 1, 3, 3)", Order::Half, &[1.0; 27])).unwrap();
    let ran = run(
        folder.path(),
        &"frelu --set norm=none --x x.npy --arg weight=half.npy --y y.npy --dtype f16"
            .split(' ')
            .collect::<Vec<_>>(),
    );
    let notes = "nonlin: note: x.npy holds f32; it is converted to f16\n\
                 nonlin: note: half.npy holds f16; it is converted to f32\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), notes));
}

#[test]
fn a_name_may_have_spaces_around_it() {
    let folder = folder();
    let args = [
        " frelu ",
        "--set",
        "norm=none",
        "--x",
        "x.npy",
        "--arg",
        "weight=w.npy",
        "--y",
        "y.npy",
    ];
    run(folder.path(), &args).fine();
}
