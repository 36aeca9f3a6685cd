//! What `nonlin check` refuses, before it looks for an adapter.

use crate::common::nonlin;

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let cases: &[(&[&str], &str)] = &[
        // Settings.
        (
            &["frelu", "--set", "kernal=3"],
            "--set kernal=3: frelu has no setting of that name; it has kernel, bias, light, norm, eps, momentum",
        ),
        (
            &["frelu", "--set", "kernel=4"],
            "frelu: kernel must be odd and at most 7 both ways, not (4, 4)",
        ),
        (
            &["frelu", "--set", "norm=train", "--shape", "1x3x1x1"],
            "images of 1 samples, 3 channels, 1 rows, 1 columns: a batch norm in training needs more than one value per channel",
        ),
        (
            &["relu", "--set", "k=2"],
            "--set is for layers, such as frelu; relu is a chain",
        ),
        (
            &["frelu", "scale(@s)", "--order", "nhwc"],
            "--order is for layers, such as frelu; scale(@s) is a chain",
        ),
        // Shapes.
        (
            &["frelu", "--shape", "2x3x4"],
            "--shape: a layer's has four lengths, not 3: samples, channels, height and width",
        ),
        (
            &["scale(@s)", "--shape", "2x3x4x5"],
            "--shape: a chain's has three lengths, not 4: samples, channels and elements of each",
        ),
        (
            &["scale(@s)", "--shape", "1024x1024x1024"],
            "--shape 1024x1024x1024 has 1073741824 elements; at most 67108864 can be compared",
        ),
        (
            &["meta_acon", "--shape", "1x65536x1x1"],
            "--shape 1x65536x1x1: fc1_weight has the shape [4096, 65536] then; at most 67108864 elements \
             can be compared",
        ),
        (
            &["silu", "--shape", "2x3x4"],
            "--shape is for layers and for chains with operands (@name) or random steps; silu has none",
        ),
        (
            &["silu", "--seed", "1"],
            "--seed is for layers and for chains with operands (@name) or random steps; silu has none",
        ),
        // Operands.
        (
            &["prelu(weight=@w)", "--arg", "v=shared"],
            "--arg v: the chain prelu(weight=@w) has no operand of that name; it has w",
        ),
        (
            &["frelu", "--arg", "weight=shared"],
            "--arg is for chains; frelu is a layer",
        ),
        // Counts.
        (
            &["frelu", "--count", "9"],
            "--count is for chains; frelu is a layer",
        ),
        (
            &["scale(@s)", "--count", "9"],
            "--count is for chains without operands; scale(@s) is compared on a --shape",
        ),
        (
            &["frelu | scale(2)"],
            "frelu is a layer: it runs alone, as in nonlin check frelu, and takes its settings from --set",
        ),
        (
            &["frelu", "--exhaustive"],
            "--exhaustive is for chains; frelu is a layer",
        ),
    ];
    for (args, message) in cases {
        nonlin(&[&["check"], *args].concat()).refused(message);
    }
    for args in [
        &["frelu", "--shape", "0x1x1x1"][..],
        &["frelu", "--order", "hwcn"],
        &["frelu", "--set", "norm"],
        &["scale(@s)", "--arg", "s=row"],
        &["scale(@s)", "--seed", "-1"],
        &["silu", "--exhaustive", "--seed", "1"],
    ] {
        assert_eq!(
            nonlin(&[&["check"], args].concat()).code,
            Some(2),
            "{args:?}"
        );
    }
}
