//! `nonlin check`.

use crate::common::{Ran, fields, nonlin};
use ::nonlin::Activation;
use serde_json::Value;

pub(crate) fn in_16_bits() {
    for dtype in ["f16", "bf16"] {
        let args = ["check", "scale(0.5) | silu", "--dtype", dtype];
        let text = nonlin(&args).fine();
        assert!(text.starts_with(&format!("{dtype} on ")), "{text}");
        let document = nonlin(&[&args[..], &["--json"]].concat()).json();
        assert_eq!(document["dtype"], dtype);
        for result in document["results"].as_array().unwrap() {
            // Double backward has two results of each.
            let tensors = 1 + u32::from(result["pass"] == "double backward");
            assert_eq!(result["compared"], 65536 * tensors);
            assert_eq!(result["failed"], 0);
        }
    }
}

pub(crate) fn of_a_chain() {
    let args = ["check", "scale(0.5) | relu | scale(2)", "--count", "5000"];
    let text = nonlin(&args).fine();
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(
        text.lines().skip(2).all(|line| line.contains("  pass  ")),
        "{text}"
    );
    let document = nonlin(&[&args[..], &["--json"]].concat()).json();
    assert_eq!(fields(&document), ["adapter", "dtype", "passed", "results"]);
    assert_eq!(document["passed"], true);
    let results = document["results"].as_array().unwrap();
    for (result, pass) in
        results
            .iter()
            .zip(["forward", "backward", "backward from y", "double backward"])
    {
        assert_eq!(
            fields(result),
            ["chain", "pass", "compared", "failed", "passed", "worst"]
        );
        assert_eq!(result["chain"], args[1]);
        assert_eq!(
            (&result["pass"], &result["failed"]),
            (&pass.into(), &0.into())
        );
        assert!(result["compared"].as_u64() >= Some(5000));
    }
}

pub(crate) fn of_every_activation() {
    let ran = nonlin(&["check", "--count", "2000", "--json"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = document["results"].as_array().unwrap();
    let of_pass = |pass| results.iter().filter(move |result| result["pass"] == pass);
    let chains: Vec<_> = of_pass("forward")
        .map(|r| r["chain"].as_str().unwrap())
        .collect();
    assert_eq!(
        chains,
        Activation::ALL
            .iter()
            .map(Activation::to_string)
            .collect::<Vec<_>>()
    );
    assert_eq!(of_pass("backward").count(), chains.len());
    assert!((20..30).contains(&of_pass("backward from y").count()));
    let failed = results.iter().any(|result| result["failed"] != 0);
    assert_eq!(
        (ran.code, &document["passed"]),
        (Some(failed.into()), &(!failed).into())
    );
    let worst = results
        .iter()
        .map(|result| &result["worst"])
        .find(|worst| worst.is_object());
    let names = ["index", "x", "dy", "got", "want", "ulp", "allowed"];
    assert_eq!(fields(worst.unwrap()), names);
}

/// The results of a check that must have passed: subject, pass, tensor and how many elements.
fn results(args: &[&str]) -> Vec<(String, String, String, u64)> {
    let document = nonlin(&[&["check", "--json"], args].concat()).json();
    assert_eq!(document["passed"], true);
    let results = document["results"].as_array().unwrap();
    let found = results.iter().map(|result| {
        let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (&result["failed"], &result["passed"]),
            (&0.into(), &true.into())
        );
        let subject = text("chain") + &text("layer");
        let compared = result["compared"].as_u64().unwrap();
        (subject, text("pass"), text("tensor"), compared)
    });
    found.collect()
}

/// Tensors of the backward pass, and how many elements each has.
type Lengths<'a> = &'a [(&'a str, u64)];

/// A result for each tensor, with all its elements; whose the values are; seeds; dtypes.
pub(crate) fn of_operands() {
    let everything = "scale(@s) | bias(@b) | mish | dropout(p=0.1) | residual(@r)";
    let cases: &[(&str, &[&str], Lengths)] = &[
        ("prelu(weight=@w)", &[], &[("dx", 65536), ("w", 16)]),
        (
            everything,
            &[
                "--shape", "3x5x37", "--arg", "b=sample", "--arg", "s=shared",
            ],
            &[("dx", 555), ("s", 1), ("b", 15), ("r", 555)],
        ),
        (
            "silu | gate(@g)",
            &["--shape", "2x3x11", "--dtype", "f16", "--seed", "9"],
            &[("dx", 66), ("g", 66)],
        ),
        (
            "rrelu(lower=0.125, upper=0.25)",
            &["--shape", "1x1x1000", "--seed", "3"],
            &[("dx", 1000)],
        ),
        (
            "acon_c(p1=@p, p2=@q, beta=@b)",
            &["--shape", "70x8x1", "--dtype", "bf16", "--arg", "q=element"],
            &[("dx", 560), ("p", 8), ("q", 560), ("b", 8)],
        ),
    ];
    for (chain, options, backward) in cases {
        let found = results(&[&[*chain], *options].concat());
        let (first, rest) = found.split_first().unwrap();
        let elements = backward[0].1;
        let wanted = (chain.to_string(), "forward".into(), "y".into(), elements);
        assert_eq!(first, &wanted);
        let wanted: Vec<_> = backward
            .iter()
            .map(|(name, len)| {
                (
                    chain.to_string(),
                    "backward".to_owned(),
                    name.to_string(),
                    *len,
                )
            })
            .collect();
        // Double backward is where second derivatives are.
        let rest: Vec<_> = rest.iter().filter(|f| f.1 != "double backward").collect();
        let wanted: Vec<_> = wanted.iter().collect();
        assert_eq!(rest, wanted, "{chain} {options:?}");
    }
    let text = nonlin(&["check", "scale(@s)", "--shape", "2x3x4"]).fine();
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(text.contains("  gradient of s    pass"), "{text}");
    // Without a shape, what draws is compared on inputs of all kinds.
    let found = results(&["dropout(0.5)", "--count", "2000", "--seed", "5"]);
    assert!(found.iter().all(|found| found.3 >= 2000), "{found:?}");
}

/// Layers, their settings and the tensors that are compared.
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    (
        "frelu",
        &["norm=train", "bias=true"],
        &[
            "y",
            "running_mean",
            "running_var",
            "dx",
            "bias",
            "bn_bias",
            "bn_weight",
            "weight",
        ],
    ),
    ("frelu", &["norm=none"], &["y", "dx", "weight"]),
    (
        "meta_acon",
        &["minimum=4"],
        &[
            "y",
            "dx",
            "fc1_bias",
            "fc1_weight",
            "fc2_bias",
            "fc2_weight",
            "p1",
            "p2",
        ],
    ),
    (
        "dyrelu_a",
        &["k=3"],
        &[
            "y",
            "dx",
            "fc1_bias",
            "fc1_weight",
            "fc2_bias",
            "fc2_weight",
        ],
    ),
    (
        "dyrelu_b",
        &[],
        &[
            "y",
            "dx",
            "fc1_bias",
            "fc1_weight",
            "fc2_bias",
            "fc2_weight",
        ],
    ),
    (
        "dyrelu_c",
        &["temperature=4"],
        &[
            "y",
            "dx",
            "fc1_bias",
            "fc1_weight",
            "fc2_bias",
            "fc2_weight",
            "spatial_bias",
            "spatial_weight",
        ],
    ),
];

/// Every layer and setting that makes other tensors, in one order and dtype or another.
pub(crate) fn of_layers() {
    let shape = &["--shape", "3x8x6x5"][..];
    let options = [
        &["--order", "nhwc", "--dtype", "f16"][..],
        &["--dtype", "bf16"],
    ];
    for ((layer, settings, tensors), options) in LAYERS.iter().zip(options.iter().cycle()) {
        let mut args = [&[*layer], shape, options].concat();
        for setting in *settings {
            args.extend(["--set", setting]);
        }
        let found = results(&args);
        let names: Vec<_> = found.iter().map(|found| found.2.as_str()).collect();
        assert_eq!(&names, tensors, "{args:?}");
        assert!(found.iter().all(|found| found.0.starts_with(layer)));
        assert!(found.iter().filter(|found| found.3 == 720).count() >= 2);
    }
}

/// In one table each, and as one document; and images as they are where no shape is given.
pub(crate) fn of_layers_and_chains() {
    let args = ["check", "relu", "dyrelu_b", "scale(@s)", "--count", "1000"];
    let Ran { code, stderr, .. } = nonlin(&args);
    assert_eq!(code, Some(2), "{stderr}");
    let args = ["check", "relu", "dyrelu_b", "scale(@s)"];
    let text = nonlin(&args).fine();
    let head = |line: &&str| line.starts_with("chain ") || line.starts_with("layer ");
    assert_eq!(text.lines().filter(head).count(), 2, "{text}");
    // A title, two heads, four passes of relu, five tensors of scale and six of the layer.
    assert_eq!(text.lines().count(), 1 + 2 + 4 + 5 + 6, "{text}");
    let document = nonlin(&[&args[..], &["--json"]].concat()).json();
    let results = document["results"].as_array().unwrap();
    let layer = results.iter().find(|result| result["layer"] == "dyrelu_b");
    let layer = layer.unwrap();
    assert_eq!(
        fields(layer),
        [
            "layer",
            "shape",
            "order",
            "pass",
            "tensor",
            "compared",
            "failed",
            "passed",
            "allowed",
            "magnitude",
            "blunt",
            "worst"
        ]
    );
    assert_eq!(
        (&layer["shape"], &layer["order"], &layer["compared"]),
        (&"4x16x28x28".into(), &"nchw".into(), &50176.into())
    );
    let chain = results
        .iter()
        .find(|result| result["tensor"] == "s")
        .unwrap();
    let names = [
        "chain", "shape", "pass", "tensor", "compared", "failed", "passed", "worst",
    ];
    assert_eq!(fields(chain), names);
}
