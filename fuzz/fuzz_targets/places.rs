//! Chains' operands at any place, for devices with any limits.

#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use nonlin::{Broadcast, Chain, DTypes, Layout, Limits, Operand, Operands, Pass, Recipe};
use nonlin_fuzz::places::{Memories, dtype, dtype_of, dtypes, limits, number, pass, seldom};
use std::sync::LazyLock;

/// One of each kind: of constants, with operands and their gradients, with halves of packed tensors, over rows.
static CHAINS: LazyLock<Vec<Chain>> = LazyLock::new(|| {
    let texts = [
        "silu",
        "scale(0.5) | tanh | scale(2)",
        "dropout(0.3) | bias(1)",
        "round(bf16) | rrelu",
        "prelu(weight=@w)",
        "scale(@s) | bias(@b) | acon_c(p1=@p, p2=@q, beta=1)",
        "dropout(0.3) | scale(@s) | mish",
        "hardtanh(min_val=@low) | residual(@r)",
        "snake(alpha=@a | exp)",
        "silu | gate(@g)",
        "swiglu_oai",
        "bias_split_gelu",
        "dyt | gate(@g) | residual(@r)",
        "softmax",
        "softmax(sink=@s)",
        "scale(0.125) | residual(@mask) | softmax | dropout(0.1)",
        "causal(0) | softmax",
        "causal(2) | log_softmax",
        "hardmax",
        "layer_norm | scale(@s) | bias(@b)",
        "rms_norm(weight=@w) | gate(@g | silu)",
    ];
    texts.map(|text| text.parse().unwrap()).into()
});

#[derive(Debug)]
struct Case {
    chain: &'static Chain,
    pass: Pass,
    dtypes: DTypes,
    operands: Operands<'static>,
    outputs: Vec<Operand<'static>>,
    memories: Memories,
    limits: Limits,
}

fn layout(from: &mut Unstructured<'_>) -> Result<Layout> {
    Ok(Layout {
        outer: number(from)?,
        channels: number(from)?,
        inner: if from.ratio(1, 2)? { 1 } else { number(from)? },
    })
}

fn broadcast(from: &mut Unstructured<'_>) -> Result<Broadcast> {
    let (inner, count) = (number(from)?, number(from)?);
    let run = inner.saturating_mul(count);
    let period = match from.ratio(1, 2)? {
        true => run.saturating_mul(from.int_in_range(1..=8)?),
        false => number(from)?,
    };
    Ok(Broadcast {
        inner,
        count,
        period,
    })
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Self> {
        let chain: &'static Chain = &CHAINS[from.int_in_range(0..=CHAINS.len() - 1)?];
        let (pass, dtypes, limits) = (pass(from)?, dtypes(from)?, limits(from)?);
        let mut memories = Memories::arbitrary(from)?;
        let mut operands = Operands::new().random(from.arbitrary()?, from.arbitrary()?);
        let mut outputs = Vec::new();
        let layout = layout(from)?;
        let samples = layout.outer.saturating_mul(layout.channels);
        let len = samples.saturating_mul(layout.inner);
        if !seldom(from, 8)? {
            operands = operands.layout(layout);
        }
        if seldom(from, 8)? {
            operands = operands.queries(number(from)?);
        }

        for name in ["x", "y", "dy", "dx"] {
            // Now and then one too many, or too few.
            if pass.operands().contains(&name) == seldom(from, 32)? {
                continue;
            }
            let operand = memories.operand(from, len, dtype_of(dtypes, name))?;
            operands = match name {
                "x" => operands.x(operand),
                "y" => operands.y(operand),
                "dy" => operands.dy(operand),
                _ => operands.dx(operand),
            };
            if pass.operands().last() == Some(&name) {
                outputs.push(operand);
            }
        }
        for name in chain.operands() {
            let mut count = *from.choose(&[len, 1, layout.channels, samples])?;
            if seldom(from, 8)? {
                let broadcast = broadcast(from)?;
                let times = len / broadcast.period.max(1);
                count = times.saturating_mul(broadcast.count);
                operands = operands.broadcast(name, broadcast);
            }
            if !seldom(from, 32)? {
                let dtype = dtype(from)?;
                operands = operands.arg(name, memories.operand(from, count, dtype)?, dtype);
            }
            if pass == Pass::Backward && from.ratio(1, 2)? {
                let dtype = dtype(from)?;
                let operand = memories.operand(from, count, dtype)?;
                operands = operands.grad(name, operand, dtype);
                outputs.push(operand);
            }
        }
        Ok(Case {
            chain,
            pass,
            dtypes,
            operands,
            outputs,
            memories,
            limits,
        })
    }
}

libfuzzer_sys::fuzz_target!(|case: Case| {
    let Case {
        chain,
        pass,
        dtypes,
        operands,
        limits,
        ..
    } = &case;
    match Recipe::new(chain, *pass, *dtypes, operands, limits) {
        Ok(recipe) => case.memories.check(&recipe, limits, &case.outputs),
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});
