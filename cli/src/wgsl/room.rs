//! What each activation computes for an element beside what GPUs could compute while memory moves it: on paper.

use super::count::{Counts, KINDS, of_kernel};
use crate::Result;
use nonlin::{Activation, Chain, Pass};
use std::fmt::Write;

/// A GPU, by what is published of it.
struct Gpu {
    name: &'static str,
    /// f32 operations a second, in 10^12, of which a fused product and sum counts as two.
    tflops: f64,
    /// Memory, in 10^9 bytes a second.
    bandwidth: f64,
    /// What kind of GPU it is, and what its figures follow from, if they are not published as they stand.
    note: &'static str,
}

const GPUS: [Gpu; 4] = [
    Gpu {
        name: "GeForce RTX 4090",
        tflops: 82.6,
        bandwidth: 1008.0,
        note: "a desktop's card",
    },
    Gpu {
        name: "H100 SXM",
        tflops: 67.0,
        bandwidth: 3350.0,
        note: "a data centre's",
    },
    Gpu {
        name: "Apple M2, 10 cores",
        tflops: 3.6,
        bandwidth: 100.0,
        note: "memory shared with the processor",
    },
    Gpu {
        name: "Iris Xe, 96 units",
        tflops: 2.0,
        bandwidth: 68.3,
        note: "a laptop's processor's: 96 units of 8 lanes at 1.3 GHz, LPDDR4x-4267 of 128 bits",
    },
];

/// f32 instructions that an operation of each kind takes, in the order of [`KINDS`]: an estimate that means to be on the
/// large side. Integers go at half the rate of floats or better, conversions and rounding at a quarter; a quotient or a root
/// is an approximation at an eighth, and some steps that make it better.
const SLOTS: [usize; KINDS.len()] = [1, 1, 12, 1, 4, 12, 12, 1, 1, 2, 4];

const PASSES: [Pass; 3] = [Pass::Forward, Pass::Backward, Pass::BackwardFromY];

impl Gpu {
    /// Instructions for an element in the time that memory takes over so many bytes.
    fn room(&self, bytes: f64) -> f64 {
        let instructions = self.tflops * 1e12 / 2.0;
        instructions * bytes / (self.bandwidth * 1e9)
    }
}

/// Bytes of f32 that a pass reads and writes for an element.
fn bytes(pass: Pass) -> f64 {
    4.0 * pass.operands().len() as f64
}

fn slots(counts: &Counts) -> usize {
    counts
        .iter()
        .zip(SLOTS)
        .map(|(count, slots)| count * slots)
        .sum()
}

/// A document in Markdown.
pub(super) fn document() -> Result<String> {
    let mut text = String::from(ABOUT);
    text += "\n| | TFLOPS, f32 | GB/s | instructions in 8 bytes | in 12 bytes | |\n|---|---|---|---|---|---|\n";
    for gpu in &GPUS {
        let Gpu {
            name,
            tflops,
            bandwidth,
            note,
        } = gpu;
        let [forward, backward] = [8.0, 12.0].map(|bytes| gpu.room(bytes));
        let row =
            format!("| {name} | {tflops} | {bandwidth} | {forward:.0} | {backward:.0} | {note} |");
        _ = writeln!(text, "{row}");
    }
    text +=
        "\n| | forward | % | backward | % | backward from y | % |\n|---|---|---|---|---|---|---|\n";
    let mut over = [0; GPUS.len()];
    let mut passes = 0;
    for activation in Activation::ALL {
        let chain = Chain::from(*activation);
        _ = write!(text, "| {}", activation.name());
        for pass in PASSES {
            if chain.supports(pass).is_err() {
                text += " | | ";
                continue;
            }
            let counts = of_kernel(&chain.wgsl(pass)?)?;
            let (operations, slots) = (counts.iter().sum::<usize>(), slots(&counts));
            let shares = GPUS
                .each_ref()
                .map(|gpu| slots as f64 / gpu.room(bytes(pass)));
            passes += 1;
            for (over, share) in over.iter_mut().zip(shares) {
                *over += usize::from(share > 1.0);
            }
            let shares = shares.map(|share| format!("{:.0}", 100.0 * share));
            _ = write!(text, " | {operations}, {slots} | {}", shares.join(", "));
        }
        text += " |\n";
    }
    let over = GPUS.iter().zip(over);
    let over = over.map(|(gpu, over)| format!("{over} on {}", gpu.name));
    let over: Vec<String> = over.collect();
    _ = write!(
        text,
        "\nOf {passes} passes, over 100 %: {}.\n",
        over.join(", ")
    );
    Ok(text)
}

const ABOUT: &str = "\
# What arithmetic takes beside memory, on paper

`nonlin wgsl --count` writes this, and a test holds it to that. Nothing here is measured.

For each activation and pass: operations for an element, as `nonlin wgsl NAME --count` has them, and the f32 instructions
that they may take: one each; two for an integer's, four for rounding and conversions, twelve for a quotient or a root.
These weights are estimates on the large side, and no product is joined with a sum, as drivers do where they can. Behind
them, what share of the instructions that is, in %, which each GPU below has time for while its memory moves the element:
8 bytes of f32 forward, 12 backward. Below 100, memory is what takes the time, if a driver has enough invocations under
way at once.

The GPUs' figures are peaks as they are published for each; the last one's follow from what is said behind it. Neither memory
nor arithmetic is reached in full. Half of TFLOPS are instructions, since they count a product joined with a sum as two.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_what_memory_leaves() {
        // 41.3 * 10^12 instructions, 126 * 10^9 elements of 8 bytes.
        assert_eq!(GPUS[0].room(8.0).round(), 328.0);
        assert_eq!(GPUS[1].room(12.0).round(), 120.0);
        assert_eq!(bytes(Pass::Forward), 8.0);
        assert_eq!(bytes(Pass::Backward), 12.0);
    }

    #[test]
    fn kinds_have_their_weights() {
        let weight = |kind: &str| SLOTS[KINDS.iter().position(|known| *known == kind).unwrap()];
        assert_eq!(["add", "multiply", "select", "compare"].map(weight), [1; 4]);
        assert_eq!(["divide", "sqrt", "other"].map(weight), [12; 3]);
        assert_eq!(["round", "convert", "integer"].map(weight), [4, 4, 2]);
        let mut counts = Counts::default();
        (counts[0], counts[2]) = (3, 1);
        assert_eq!(slots(&counts), 15);
    }
}
