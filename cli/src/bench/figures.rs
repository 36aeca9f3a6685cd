//! What `nonlin report` says of speed.

use super::clock::{Wanted, median};
use super::timed::{Timed, Variant};
use super::{Bench, Stage};
use crate::Result;
use crate::report::{Row, Speed, digits};
use nonlin::{Activation, Chain, Gpu, Layout};
use std::marker::PhantomData;

/// Chains that are timed fused and step by step, with samples and channels of x: the rest is a channel's elements. One of
/// constants, a gate, one with learned parameters for each channel, one over rows.
const CHAINS: [(&str, u64, u64); 4] = [
    ("scale(0.5) | silu | scale(2)", 1, 1),
    ("silu | gate(@g)", 1, 1),
    (
        "scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)",
        32,
        256,
    ),
    ("scale(0.125) | softmax", 0, 1024),
];

/// Times every activation and [`CHAINS`], in f32. Says too what is wrong with those that were not timed.
pub(crate) fn figures(gpu: &Gpu, len: u64, samples: u32) -> Result<(Speed, Vec<String>)> {
    let stage = Stage::new(gpu, None);
    let bench = Bench::<f32> {
        gpu,
        stage: &stage,
        len,
        samples,
        dtype: PhantomData,
    };
    let (mut timed, wrong) = bench.guarded(|| {
        let (mut timed, mut wrong) = bench.catalogue()?;
        for (text, outer, channels) in CHAINS {
            let chain: Chain = text.parse()?;
            let outer = if outer == 0 { len / channels } else { outer };
            let layout = Layout {
                outer,
                channels,
                inner: len / (outer * channels),
            };
            let (more, messages) = match chain.operands().is_empty() && chain.row().is_none() {
                true => bench.passes(&chain)?,
                false => bench.with_operands(&chain, layout)?,
            };
            timed.extend(more);
            wrong.extend(messages);
        }
        Ok((timed, wrong))
    })?;
    let clock = stage.settle(Wanted::Auto, &mut timed)?;
    let forward = timed.iter().filter(|timed| timed.subject.pass == "forward");
    let copies = forward.map(|timed| timed.variants[0].median()).collect();
    let speed = Speed {
        elements: len,
        clock: clock.name().into(),
        copy_ns: digits(median(copies) / len as f64),
        rows: timed.iter().filter_map(|timed| row(timed, len)).collect(),
    };
    Ok((speed, wrong))
}

fn row(timed: &Timed, len: u64) -> Option<Row> {
    let fused = timed.named("fused")?;
    let each = |variant: &Variant| digits(variant.median() / len as f64);
    // With its defaults, an activation's name says all.
    let text = timed.subject.what.as_str();
    let mut all = Activation::ALL.iter();
    let activation = all.find(|activation| Chain::from(**activation).to_string() == text);
    Some(Row {
        chain: activation
            .map_or(text, |activation| activation.name())
            .to_owned(),
        pass: timed.subject.pass.clone(),
        dtype: "f32".into(),
        ns: each(fused),
        copy: digits(timed.ratio_to_copy(fused)),
        unfused_ns: timed.named("unfused").map(each),
    })
}
