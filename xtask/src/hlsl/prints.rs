//! Which `nonlin wgsl` lines print every kernel that the library composes.
//!
//! A kernel's text depends on the chain or the layer's settings, the pass, the dtype, and how the work is cut: so every
//! line has a shape that leads to one way of cutting it. What lines print more than once is compiled once.

/// An activation, as `nonlin list` shows it.
#[derive(Debug, PartialEq)]
pub(super) struct Activation {
    name: String,
    /// Parameters with gradients.
    learned: Vec<String>,
    /// Whether there is a backward pass from y.
    from_y: bool,
}

/// The activations in the text of `nonlin list`: a line with the name and the formula, and an indented one with the rest.
/// Steps and presets that are none have other facts.
pub(super) fn activations(list: &str) -> Vec<Activation> {
    let mut all = Vec::new();
    let mut lines = list.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(facts) = lines.peek().and_then(|next| next.strip_prefix("    ")) else {
            continue;
        };
        if line.starts_with(' ') || !facts.starts_with("at most ") {
            continue;
        }
        let name = line.split([' ', '(']).next().unwrap_or_default();
        let learned = facts.split("; ").find_map(|f| f.strip_prefix("learns "));
        let learned = learned.into_iter().flat_map(|names| names.split(", "));
        all.push(Activation {
            name: name.into(),
            learned: learned.map(String::from).collect(),
            from_y: facts.contains("; backward from x or y"),
        });
    }
    all
}

const FORWARD: &str = "--pass forward";
const BACKWARD: &str = "--pass backward";
const PASSES: &[&str] = &[FORWARD, BACKWARD];
const DTYPES: &[&str] = &["--dtype f32", "--dtype f16"];

/// Each in memory of its own, or all bound read_write: the kernels of plans, and of recipes.
const BINDINGS: &[&str] = &["", "--shared"];

/// Whole words of four elements; a last word that is not whole; single elements.
const PLACES: &[&str] = &[
    "--shape 1x1x4096",
    "--shape 1x1x4095",
    "--shape 1x1x4096 --offset 1",
];

/// Channels in rows, in words and elements; as columns, likewise, and with a few elements of each beside each other;
/// and so few channels, or so short rows, that no sweep holds their values.
const LAYOUTS: &[&str] = &[
    "--shape 4x8x4096",
    "--shape 4x8x4095",
    "--shape 4x8x64 --offset 1",
    "--shape 512x256x1",
    "--shape 512x257x1",
    "--shape 64x256x12",
    "--shape 64x256x7",
    "--shape 512x8x1",
    "--shape 512x3x1",
    "--shape 64x2x12",
    "--shape 64x3x7",
];

/// Chains of other steps than activations, and the longest that people fuse.
const CHAINS: &[&str] = &[
    "scale(0.5) | silu | scale(2)",
    "scale(@s)",
    "bias(@b)",
    "gate(@g)",
    "residual(@r)",
    "dropout(0.1)",
    "rrelu(0.125, 0.333)",
    "silu | gate(@g)",
    "scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)",
    "swish(beta=@k) | rrelu(0.125, 0.333) | gate(@g)",
    "silu | gate(@g | hardtanh(-7, 7) | bias(1))",
    "snake(alpha=@a | exp)",
];

/// Chains with a step over whole rows.
const ROWS: &[&str] = &[
    "softmax",
    "log_softmax",
    "rms_norm",
    "layer_norm(weight=@w, bias=@b)",
    "scale(0.125) | residual(@m) | softmax | dropout(0.1)",
    "tanh | causal(0) | softmax(sink=@s)",
    "scale(@s) | log_softmax",
    "rms_norm(weight=@w) | gate(@g | silu)",
];

/// Rows of one lane, of some, of a workgroup; such that are held, and read again; whole words, odd ones, at odd places;
/// and strided.
const ROW_SHAPES: &[&str] = &[
    "--shape 4096x2x1",
    "--shape 4096x7x1",
    "--shape 1024x64x1",
    "--shape 1024x63x1",
    "--shape 64x1024x1",
    "--shape 64x1024x1 --offset 1",
    "--shape 64x1001x1",
    "--shape 16x4096x1",
    "--shape 2x70000x1",
    "--shape 2x70001x1",
    "--shape 4x64x256",
    "--shape 4x1000x33",
];

/// Each way to choose one of every list's options.
fn choices(lists: &[&[&str]]) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for list in lists {
        let longer = all.iter().flat_map(|chosen: &Vec<String>| {
            list.iter().map(|option| {
                let mut chosen = chosen.clone();
                chosen.extend(option.split_whitespace().map(String::from));
                chosen
            })
        });
        all = longer.collect();
    }
    all
}

/// The lines: arguments of `nonlin wgsl`.
pub(super) fn prints(activations: &[Activation]) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    let mut put = |subject: &str, lists: &[&[&str]]| {
        for options in choices(lists) {
            lines.push([vec![subject.to_owned()], options].concat());
        }
    };
    for activation in activations {
        let mut passes = PASSES.to_vec();
        if activation.from_y {
            passes.push("--pass backward-from-y");
        }
        put(&activation.name, &[&passes, DTYPES, PLACES, BINDINGS]);
        if !activation.learned.is_empty() {
            learned(&mut put, activation);
        }
    }
    for chain in CHAINS {
        put(chain, &[PASSES, DTYPES, PLACES, BINDINGS]);
        put(chain, &[PASSES, DTYPES, LAYOUTS, BINDINGS]);
    }
    for chain in ROWS {
        put(chain, &[PASSES, DTYPES, ROW_SHAPES, BINDINGS]);
    }
    put("hardmax", &[&[FORWARD], DTYPES, ROW_SHAPES]);
    for chain in ["softmax", "log_softmax"] {
        put(chain, &[&["--pass backward-from-y"], DTYPES, ROW_SHAPES]);
    }
    layers(&mut put);
    lines
}

/// An activation whose parameters are operands: with values for each channel in every layout, and one for all. That the
/// values are each sample's or each element's is said of one parameter alone: devices allow eight operands, and each of
/// these has a gradient of its own length.
fn learned(put: &mut impl FnMut(&str, &[&[&str]]), activation: &Activation) {
    let names = &activation.learned;
    let operands: Vec<_> = names.iter().map(|name| format!("{name}=@{name}")).collect();
    let chain = format!("{}({})", activation.name, operands.join(", "));
    put(&chain, &[PASSES, DTYPES, LAYOUTS, BINDINGS]);
    let shared: Vec<_> = names
        .iter()
        .map(|name| format!("--arg {name}=shared"))
        .collect();
    let whose = [
        shared.join(" "),
        format!("--arg {}=sample", names[0]),
        format!("--arg {}=element", names[0]),
    ];
    let whose: Vec<_> = whose.iter().map(String::as_str).collect();
    put(&chain, &[PASSES, DTYPES, &LAYOUTS[..5], &whose]);
}

const ORDERS: &[&str] = &["--order nchw", "--order nhwc"];
const NORMS: &[&str] = &["--set norm=none", "--set norm=eval", "--set norm=train"];

/// Images in words and in elements; and so large that each phase of the small layers is a dispatch of its own.
const IMAGES: &[&str] = &[
    "--shape 2x16x8x8",
    "--shape 2x15x9x7",
    "--shape 2x16x8x8 --offset 1",
];
const LARGE: &[&str] = &["--shape 64x512x8x8", "--shape 64x511x7x7"];

fn layers(put: &mut impl FnMut(&str, &[&[&str]])) {
    let lights: &[&str] = &["--set light=false", "--set light=true"];
    let biases: &[&str] = &["--set bias=false", "--set bias=true"];
    put(
        "frelu",
        &[PASSES, DTYPES, ORDERS, IMAGES, NORMS, lights, biases],
    );
    let windows: &[&str] = &[
        "--set kernel=1",
        "--set kernel=3x1",
        "--set kernel=1x3",
        "--set kernel=5",
        "--set kernel=7",
    ];
    put(
        "frelu",
        &[PASSES, ORDERS, &IMAGES[..2], &NORMS[2..], lights, windows],
    );
    put("frelu", &[PASSES, DTYPES, ORDERS, LARGE, NORMS, lights]);
    put("meta_acon", &[PASSES, DTYPES, ORDERS, IMAGES, NORMS]);
    put("meta_acon", &[PASSES, DTYPES, ORDERS, LARGE, NORMS]);
    let lines: &[&str] = &["--set k=1", "--set k=2", "--set k=3"];
    for variant in ["dyrelu_a", "dyrelu_b", "dyrelu_c"] {
        put(variant, &[PASSES, DTYPES, ORDERS, IMAGES, lines]);
        put(variant, &[PASSES, DTYPES, ORDERS, LARGE, lines]);
    }
    for layer in ["frelu", "meta_acon", "dyrelu_a", "dyrelu_b", "dyrelu_c"] {
        put(
            layer,
            &[PASSES, DTYPES, ORDERS, &IMAGES[..2], &["--shared"]],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
scale(factor) = factor * x
    rounded once
relu = max(x, 0)
    at most 4 ULP; also ReLU, Relu; backward from x or y; Nair and Hinton 2010; torch.nn.ReLU
acon_b(p=0.25, beta=1) = (1 - p) * x * sigmoid(beta * (1 - p) * x) + p * x
    at most 4 ULP; learns p, beta; Ma et al. 2020, Activate or Not
softmax(sink) = e^(x - m) / (the row's sum of e^(x - m))
    over whole rows, along the last axis or --axis
glu(gate=@g) = sigmoid | gate({gate})
    a preset
layer frelu = max(x, T), T a window's weighted sum around x
    settings kernel=3, bias=false
    parameters weight (C, 1, KH, KW)
";

    fn activation(name: &str, learned: &[&str], from_y: bool) -> Activation {
        Activation {
            name: name.into(),
            learned: learned.iter().map(ToString::to_string).collect(),
            from_y,
        }
    }

    #[test]
    fn the_list_is_read() {
        let wanted = [
            activation("relu", &[], true),
            activation("acon_b", &["p", "beta"], false),
        ];
        assert_eq!(activations(LIST), wanted);
    }

    #[test]
    fn every_choice_is_made_once() {
        let all = choices(&[&["a", "b c"], &["", "d"]]);
        let lines: Vec<_> = all.iter().map(|words| words.join(" ")).collect();
        assert_eq!(lines, ["a", "a d", "b c", "b c d"]);
    }

    #[test]
    fn lines_have_activations_and_layers() {
        let lines = prints(&activations(LIST));
        let lines: Vec<_> = lines.iter().map(|words| words.join(" ")).collect();
        for wanted in [
            "relu --pass backward-from-y --dtype f16 --shape 1x1x4096 --offset 1 --shared",
            "acon_b(p=@p, beta=@beta) --pass backward --dtype f32 --shape 4x8x4096",
            "acon_b(p=@p, beta=@beta) --pass backward --dtype f32 --shape 4x8x4096 --arg p=shared --arg beta=shared",
            "acon_b(p=@p, beta=@beta) --pass backward --dtype f32 --shape 512x256x1 --arg p=sample",
            "softmax --pass backward-from-y --dtype f16 --shape 2x70000x1",
            "rms_norm(weight=@w) | gate(@g | silu) --pass backward --dtype f32 --shape 64x1001x1",
            "meta_acon --pass forward --dtype f32 --order nhwc --shape 64x512x8x8 --set norm=train",
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted}");
        }
        assert!(
            !lines
                .iter()
                .any(|line| line.starts_with("acon_b --pass backward-from-y"))
        );
    }
}
