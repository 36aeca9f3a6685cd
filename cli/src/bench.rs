//! `nonlin bench`.
//!
//! For each pass three variants of the same work: a plain copy (the pass's reads and writes without
//! arithmetic), the chain as one dispatch, and the chain as one dispatch for each step. Results are
//! compared with the reference before anything is timed; then samples of the variants take turns,
//! so that what disturbs the machine disturbs all of them. The catalogue (`--all`) has the first
//! two variants of every activation.

mod chain;
mod clock;
mod device;
mod figures;
mod layer;
mod operands;
mod shown;
mod timed;
mod unfused;

use crate::define::Defined;
use crate::layers::{Given, Known};
use crate::output::{complain, dtypes};
use crate::subject::{self, Lengths};
use crate::{Failure, Result, Verdict, adapters};
use clock::{Clock, Stamps, Wanted};
pub(crate) use figures::figures;
use nonlin::half::{bf16, f16};
use nonlin::wgpu::{Buffer, DeviceType};
use nonlin::{DType, Element, Geometry, Gpu, Layout};
use std::cell::RefCell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::time::Duration;
use timed::Timed;

/// Time a chain or a layer: fused, unfused, and against a plain copy
///
/// copy reads and writes what the pass does and computes nothing: the roof. fused is the chain as
/// one dispatch. unfused is one dispatch for each step, with the same kernels: forward through a
/// buffer for each intermediate value, backward from each step's input (computed before, not timed)
/// and the gradient that comes in. Backward of a scale is a scale of the gradient, and reads no more.
/// from_y is the fused backward pass from y instead of x, where that is enough and no operand is needed.
///
/// A chain with operands is timed with the gradients of all of them, beside dx_only, the same without. What
/// passes a gradient on unchanged takes no dispatch of the unfused form, but a residual's gradient is a
/// copy; a gate's two gradients are two products. Gates and residuals are as long as x. alternating is the
/// fused form where x and a chain's one gate alternate in one tensor, and so do their gradients.
///
/// A layer (frelu, meta_acon, dyrelu_a, dyrelu_b, dyrelu_c) is timed on images, forward, backward with all gradients,
/// and both behind each other. Its unfused form has a simple kernel for each operation: pooling, matrix products,
/// each elementwise operation, convolutions, norms, sums.
///
/// Results of all dispatches are compared with the reference first; if they are wrong, nothing is
/// timed and the exit code is 1. A sample is one submit, which holds the variant as many times as a
/// sample of the copy needs to take 5 ms. Samples of the variants take turns. Times are medians.
///
/// The clock is the device's timestamps at both ends of a sample's pass, where the device has them and they
/// agree with the host's clock; else it is the host's, from handing the work over until the device is
/// done, and samples take 20 ms on hardware. The result says which it was; --clock chooses. On hardware, up to
/// 8 sets of buffers take turns, so that no cache holds what is read next.
///
/// --all times every activation instead, with its default parameters, as one dispatch and against
/// the copy. One whose results are wrong is not timed; that is said on stderr, and the exit code
/// is 1.
///
/// --json prints {"adapter", "len", "dtype", "workgroup", "words", "samples", "clock", "buffer_sets", "chain", "passes":
/// [{"chain", "pass", "repeats", "copy", "dx_only", "fused", "unfused", "alternating", "from_y", "speedup"}]}; of a layer there are "layer"
/// instead of "chain", and "shape", but neither "workgroup" nor "words". Each variant has
/// {"dispatches", "scratch_bytes", "bytes", "median_ns", "min_ns", "max_ns", "ns_per_element", "gb_per_s",
/// "ratio_to_copy"}; speedup is unfused over fused. A layer's scratch_bytes hold what is kept for backward too. With --all there is no "chain", and instead of
/// "passes" there is "results": [{"chain", "pass", "repeats", "copy", "fused"}].
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
    nonlin bench
    nonlin bench 'gelu | scale(2)' --len 1000000 --samples 31
    nonlin bench --all --dtype f16
    nonlin bench 'silu | gate(@g)'
    nonlin bench --define my.wgsl 'scale(0.5) | my_act'
    nonlin bench 'prelu(weight=@w)' --shape 32x256x2048
    nonlin bench frelu --set norm=train --shape 16x64x56x56
    nonlin bench silu --workgroup 64 --words 4 --json")]
pub(crate) struct Args {
    /// The steps, or a layer; `nonlin list` shows what there is
    #[arg(default_value = "scale(0.5) | silu | scale(2)")]
    chain: String,
    #[command(flatten)]
    defined: Defined,
    /// Time every activation
    #[arg(long, conflicts_with = "chain")]
    all: bool,
    /// How elements are stored
    #[arg(long, default_value = "f32", value_parser = dtypes())]
    dtype: DType,
    /// Elements in every buffer, 16777216 if not given; a chain of three steps needs eight buffers
    #[arg(long)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    len: Option<u64>,
    /// Samples, channels and elements of each, such as 32x256x2048, instead of --len: operands then have a
    /// value for each channel, else one for all. For a layer, samples, channels, height and width; 16x64x56x56 if not
    /// given
    #[arg(long, value_name = "NxCxL", value_parser = Lengths::parse, conflicts_with = "len")]
    shape: Option<Lengths>,
    /// A setting of a layer; `nonlin list` shows what there is
    #[arg(long, value_name = "KEY=VALUE", value_parser = Given::parse)]
    set: Vec<Given>,
    /// Use the first adapter whose description contains this, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    adapter: Option<String>,
    /// Invocations in a workgroup; the library's default, if not given
    #[arg(long)]
    workgroup: Option<u32>,
    /// Words of four elements that an invocation handles; the library's default, if not given
    #[arg(long)]
    words: Option<u32>,
    /// Samples of each variant
    #[arg(long, default_value_t = 11)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Which clock samples are timed by
    #[arg(long, value_enum, default_value_t)]
    clock: Wanted,
    /// Sets of buffers that take turns; if not given, as many as it takes that no cache holds them, and one where the
    /// adapter is the processor
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MOST_SETS))]
    buffer_sets: Option<u64>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// Untimed samples of each variant.
const WARM_UP: u32 = 2;

/// How long a sample should take at least.
const SAMPLE: Duration = Duration::from_millis(5);

/// The same where the host's clock is all that there is, on hardware: some 0.2 ms pass before and behind the work.
const SAMPLE_OF_HOST: Duration = Duration::from_millis(20);

/// Bytes that a copy goes through before it comes to the same buffers again, on hardware: more than caches hold.
const BEFORE_AGAIN: u64 = 512 << 20;

/// Most sets of buffers: more take memory, and time to be filled.
const MOST_SETS: u64 = 8;

/// Elements compared with the reference at either end of a result.
const COMPARED: u64 = 1 << 15;

/// Elements, if neither --len nor --shape is given.
const LEN: u64 = 1 << 24;

/// Elements in a row, if --shape is not given, of steps over whole rows.
const ROW: u64 = 1024;

pub(crate) fn bench(args: &Args) -> Result<Verdict> {
    if let (Some(known), false) = (Known::by_name(&args.chain), args.all) {
        return layer::bench(args, known);
    }
    if !args.set.is_empty() {
        return Err(Failure(format!(
            "--set is for layers; {} is none",
            args.chain
        )));
    }
    match args.dtype {
        DType::F16 => bench_as::<f16>(args),
        DType::BF16 => bench_as::<bf16>(args),
        _ => bench_as::<f32>(args),
    }
}

fn bench_as<T: Element>(args: &Args) -> Result<Verdict> {
    let chain = subject::chain(&args.chain, "bench", &args.defined.read()?)?;
    let layout = match &args.shape {
        None if chain.row().is_some() => Layout {
            outer: args.len.unwrap_or(LEN).div_ceil(ROW),
            channels: ROW,
            inner: 1,
        },
        None => Layout {
            outer: 1,
            channels: 1,
            inner: args.len.unwrap_or(LEN),
        },
        Some(shape) => shape.layout()?,
    };
    let gpu = adapters::open_timed(args.adapter.as_deref())?;
    let default = gpu.kernels().geometry();
    let gpu = gpu.with_geometry(Geometry {
        workgroup: args.workgroup.unwrap_or(default.workgroup),
        words: args.words.unwrap_or(default.words),
    })?;
    let stage = Stage::new(&gpu, args.buffer_sets);
    let bench = Bench::<T> {
        gpu: &gpu,
        stage: &stage,
        len: layout.outer * layout.channels * layout.inner,
        samples: args.samples,
        dtype: PhantomData,
    };
    let (mut timed, wrong) = bench.guarded(|| match args.all {
        true => bench.catalogue(),
        false if chain.is_random() || !chain.operands().is_empty() || chain.row().is_some() => {
            bench.with_operands(&chain, layout)
        }
        false => bench.passes(&chain),
    })?;
    wrong.iter().for_each(|wrong| complain(wrong));
    if !timed.is_empty() {
        let clock = stage.settle(args.clock, &mut timed)?;
        match args.all {
            true => bench.show_catalogue(clock, &timed, args.json)?,
            false => bench.show_passes(&[("chain", &args.chain)], clock, &timed, args.json)?,
        }
    }
    Ok(match wrong.as_slice() {
        [] => Verdict::Fine,
        _ => Verdict::CheckFailed,
    })
}

/// What was timed, and what is wrong with that which was not.
type Outcome = (Vec<Timed>, Vec<String>);

/// What a device has for all benches on it.
struct Stage {
    stamps: Option<Stamps>,
    /// Whether the adapter is the processor, whose caches are no part of the method: one set of buffers is all.
    is_software: bool,
    /// Sets of buffers, where the user decides.
    sets: Option<u64>,
    /// What was filled with numbers, by what it is and its length, to be copied on the device.
    originals: RefCell<HashMap<(&'static str, u64), Buffer>>,
}

impl Stage {
    fn new(gpu: &Gpu, sets: Option<u64>) -> Self {
        Stage {
            stamps: Stamps::new(gpu),
            is_software: gpu.device().adapter_info().device_type == DeviceType::Cpu,
            sets,
            originals: RefCell::default(),
        }
    }

    /// How many sets of buffers take turns, where a copy goes through so many bytes.
    fn sets(&self, bytes: u64) -> u64 {
        match (self.sets, self.is_software) {
            (Some(sets), _) => sets,
            (None, true) => 1,
            (None, false) => BEFORE_AGAIN.div_ceil(bytes.max(1)).clamp(1, MOST_SETS),
        }
    }

    /// Which clock counts.
    fn settle(&self, wanted: Wanted, timed: &mut [Timed]) -> Result<Clock> {
        clock::settle(wanted, self.stamps.is_some(), timed)
    }
}

struct Bench<'a, T> {
    gpu: &'a Gpu,
    stage: &'a Stage,
    len: u64,
    samples: u32,
    dtype: PhantomData<T>,
}

/// Inputs from -8 to 8 without order: multiples of the golden ratio, less their whole part.
fn x_at(index: u64) -> f32 {
    spread(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * 8.0
}

/// Gradients from -1 to 1: the same of the square root of two.
fn dy_at(index: u64) -> f32 {
    spread(index.wrapping_mul(0x6a09_e667_f3bc_c909))
}

/// The upper bits, from -1 to 1.
fn spread(bits: u64) -> f32 {
    (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_take_turns_where_caches_would_answer() {
        let sets = |is_software, sets, bytes| {
            let stage = Stage {
                stamps: None,
                is_software,
                sets,
                originals: RefCell::default(),
            };
            stage.sets(bytes)
        };
        // A copy of 16 Mi elements, of few, of many.
        let copies = [1 << 27, 1 << 10, 1 << 31, 0];
        assert_eq!(copies.map(|bytes| sets(false, None, bytes)), [4, 8, 1, 8]);
        assert_eq!(copies.map(|bytes| sets(true, None, bytes)), [1; 4]);
        assert_eq!(sets(true, Some(3), 1 << 27), 3);
    }
}
