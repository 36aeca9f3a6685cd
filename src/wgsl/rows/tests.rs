use super::*;
use crate::tensor::dtype::{DType, DTypes};
use crate::wgsl::form::{At, Body, SumOf};
use crate::wgsl::kernel::kernel;
use crate::wgsl::tests::{stubs_are_written, tint, translate};

const CHAINS: [&str; 7] = [
    "softmax",
    "scale(@s) | residual(@r) | causal(1) | softmax(sink=@k) | scale(@w) | dropout(0.1)",
    "scale(0.5) | log_softmax",
    "dropout(0.1) | causal(0) | log_softmax | gate(@g | silu)",
    "hardmax | bias(@w)",
    "rms_norm | scale(@w) | gate(@g)",
    "tanh | layer_norm | scale(@w) | bias(@b)",
];

/// The form of a chain's operands: shared, one for each column, and one for each element.
fn form(chain: &Chain, pass: Pass, access: Access, strips: Strips) -> Form {
    let mixed = DTypes {
        x: DType::F16,
        y: DType::F32,
        dy: DType::BF16,
        dx: DType::F16,
    };
    let dtypes = if access == Access::Vec4 {
        DType::F32.into()
    } else {
        mixed
    };
    let body = Body::Chain(chain, pass);
    let plain = Form::plain(body, dtypes);
    let learned = match pass {
        Pass::Backward => chain.learnable(),
        _ => Vec::new(),
    };
    let of = |name: &str| match name {
        "s" | "k" => (At::Shared, SumOf::Row),
        "w" if access == Access::Vec4 => (At::ChannelWords, SumOf::Column),
        "b" if access == Access::Vec4 => (At::Channels, SumOf::Column),
        "w" | "b" => (At::Channel, SumOf::Column),
        _ => (At::Each, SumOf::Element),
    };
    let mut inputs = plain.inputs[..if pass == Pass::Forward { 1 } else { 2 }].to_vec();
    for name in body.needs(&learned) {
        inputs.push(Input {
            name: arg(&name),
            at: of(&name).0,
            ..plain.inputs[0].clone()
        });
    }
    Form {
        access,
        inputs,
        sums: learned.iter().map(ToString::to_string).collect(),
        sums_of: learned.iter().map(|name| of(name).1).collect(),
        sweep: Sweep::Whole(strips),
        ..plain
    }
}

fn kernels() -> Vec<String> {
    let mut all = Vec::new();
    for text in CHAINS {
        let chain: Chain = text.parse().unwrap();
        for pass in Pass::ALL {
            if chain.supports(pass).is_err() {
                continue;
            }
            for (access, lanes) in [
                (Access::Vec4, [64, 64, 8, 1]),
                (Access::Scalar, [64, 1, 3, 1]),
                (Access::Vec4, [64, 4, 1, 1]),
                (Access::Scalar, [64, 1, 4, 0]),
                (Access::Vec4, [256, 256, 4, 0]),
                (Access::Vec4, [64, 16, 2, 1]),
            ] {
                let [lanes, beside, words, held] = lanes;
                let strips = Strips {
                    lanes,
                    beside,
                    words,
                    held: held == 1,
                    whole: beside == 64,
                    turns: pass == Pass::Backward && (lanes == 256 || beside == 16),
                };
                let form = form(&chain, pass, access, strips);
                all.push(kernel(Body::Chain(&chain, pass), &form));
                // In the place of x, or of dy, and with operands that begin somewhere.
                let in_place = Form {
                    outputs: vec![Output {
                        in_place: Some(if pass == Pass::Forward { 0 } else { 1 }),
                        ..form.outputs[0].clone()
                    }],
                    offsets: true,
                    ..form
                };
                all.push(kernel(Body::Chain(&chain, pass), &in_place));
            }
        }
    }
    all
}

/// For every backend, without a fault, and as tint has it.
#[test]
fn rows_translate() {
    for text in kernels() {
        assert!(!text.contains("override "), "{text}");
        translate(&text);
        tint(&text);
    }
}

/// A lane may write what it joins at the next turn while others read that of this one, unless something else is joined in
/// between, with a barrier of its own.
#[test]
fn two_things_are_joined_at_each_turn() {
    let kernels = kernels();
    let mut turning = kernels
        .iter()
        .filter(|text| text.contains("turn < args.block"))
        .peekable();
    assert!(turning.peek().is_some());
    for text in turning {
        let joined = ["term_joined(lane, ", "part_joined(lane, "];
        assert!(joined.iter().all(|name| text.contains(name)), "{text}");
    }
}

#[test]
fn stubs_of_rows_are_what_is_composed() {
    stubs_are_written("rows/", &kernels());
}
