//! The two clocks: the device's timestamps at both ends of a pass, and the host's, from handing work over until the device
//! is done.
//!
//! The host's counts what lies between as well, which a fast device makes up for only in long samples. Timestamps are not
//! to be trusted unseen: some drivers give zeros, or the times at which they took commands rather than carried them out. So
//! every sample is timed by both, and which one counts is decided at the end, for all of them.

use super::timed::Timed;
use crate::{Failure, Result};
use clap::ValueEnum;
use nonlin::Gpu;
use nonlin::wgpu::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoder, ComputePassTimestampWrites, Features,
    MapMode, QuerySet, QuerySetDescriptor, QueryType,
};
use std::fmt;

/// Which clock the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub(crate) enum Wanted {
    /// The device's timestamps where they can be trusted, else the host's clock
    #[default]
    Auto,
    /// The device's timestamps alone
    Timestamps,
    /// The host's clock
    Host,
}

/// Which clock counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Clock {
    Timestamps,
    Host(Why),
}

/// Why the host's clock counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Why {
    Wanted,
    NoTimestamps,
    /// Some are zero, or an end is no later than its beginning.
    OutOfOrder,
    /// They say more than passed on the host, or far less.
    Disagree,
}

impl Clock {
    /// As documents name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Clock::Timestamps => "timestamps",
            Clock::Host(_) => "host",
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Clock::Timestamps => "clock: the device's timestamps",
            Clock::Host(Why::Wanted) => "clock: the host's",
            Clock::Host(Why::NoTimestamps) => {
                "clock: the host's, since the device has no timestamps"
            }
            Clock::Host(Why::OutOfOrder) => "clock: the host's, since timestamps are out of order",
            Clock::Host(Why::Disagree) => "clock: the host's, with which timestamps do not agree",
        })
    }
}

/// A sample by both clocks, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) host: f64,
    /// None where there are none, or they are out of order.
    pub(super) stamped: Option<f64>,
}

impl Sample {
    pub(super) fn by(self, clock: Clock) -> f64 {
        match clock {
            Clock::Timestamps => self.stamped.unwrap_or(self.host),
            Clock::Host(_) => self.host,
        }
    }
}

/// What timestamps may say beside the host's clock, in the middle of all samples that are long enough. Nothing takes longer
/// than from the submit to its end, but for what two clocks differ by; and what comes before and behind a pass takes less than
/// the pass. Single samples say nothing: a busy host sees late that the device is done.
const AGREE: std::ops::RangeInclusive<f64> = 0.5..=1.05;

/// Nanoseconds of a sample that is long enough for that. Of shorter ones, most may be the way there and back.
const LONG: f64 = 2e6;

/// Which clock counts for all of what was timed, and sorts the times by it.
pub(super) fn settle(wanted: Wanted, has_timestamps: bool, timed: &mut [Timed]) -> Result<Clock> {
    let variants = timed.iter().flat_map(|timed| {
        let repeats = f64::from(timed.repeats);
        timed
            .variants
            .iter()
            .map(move |v| (repeats, &v.samples[..]))
    });
    let clock = match (wanted, has_timestamps) {
        (Wanted::Host, _) => Clock::Host(Why::Wanted),
        (_, false) => Clock::Host(Why::NoTimestamps),
        _ => judge(variants),
    };
    if let (Wanted::Timestamps, Clock::Host(_)) = (wanted, clock) {
        return Err(Failure(format!(
            "--clock timestamps cannot be had here; {clock}"
        )));
    }
    for variant in timed.iter_mut().flat_map(|timed| &mut timed.variants) {
        variant.settle(clock);
    }
    Ok(clock)
}

/// Of samples, how often each has its work, and their times for once.
fn judge<'a>(variants: impl Iterator<Item = (f64, &'a [Sample])>) -> Clock {
    let (mut long, mut short) = (Vec::new(), Vec::new());
    for (repeats, samples) in variants {
        for Sample { host, stamped } in samples {
            let Some(stamped) = stamped else {
                return Clock::Host(Why::OutOfOrder);
            };
            match host * repeats >= LONG {
                true => long.push(stamped / host),
                false => short.push(stamped / host),
            }
        }
    }
    let agree = match long.is_empty() {
        true => median(short) <= *AGREE.end(),
        false => AGREE.contains(&median(long)),
    };
    match agree {
        true => Clock::Timestamps,
        false => Clock::Host(Why::Disagree),
    }
}

/// The middle one, or half way between two.
pub(super) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    let last = times.len().saturating_sub(1);
    let at = |index: usize| times.get(index).copied().unwrap_or(0.0);
    (at(last / 2) + at(last - last / 2)) / 2.0
}

/// Timestamps of one pass at a time.
pub(super) struct Stamps {
    set: QuerySet,
    resolved: Buffer,
    readback: Buffer,
    /// Nanoseconds of a tick.
    period: f64,
}

/// Two of 64 bits.
const BYTES: u64 = 16;

impl Stamps {
    /// None where the device was opened without.
    pub(super) fn new(gpu: &Gpu) -> Option<Self> {
        let device = gpu.device();
        if !device.features().contains(Features::TIMESTAMP_QUERY) {
            return None;
        }
        let buffer = |label, usage| {
            device.create_buffer(&BufferDescriptor {
                label: Some(label),
                size: BYTES,
                usage,
                mapped_at_creation: false,
            })
        };
        Some(Stamps {
            set: device.create_query_set(&QuerySetDescriptor {
                label: Some("nonlin timestamps"),
                ty: QueryType::Timestamp,
                count: 2,
            }),
            resolved: buffer(
                "nonlin timestamps",
                BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC,
            ),
            readback: buffer(
                "nonlin timestamps readback",
                BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            ),
            period: gpu.queue().get_timestamp_period().into(),
        })
    }

    /// For the pass that is to be timed.
    pub(super) fn writes(&self) -> ComputePassTimestampWrites<'_> {
        ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }
    }

    /// Behind that pass.
    pub(super) fn resolve(&self, encoder: &mut CommandEncoder) {
        encoder.resolve_query_set(&self.set, 0..2, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.readback, 0, BYTES);
    }

    /// The time between, in nanoseconds, once the device is done with the pass.
    pub(super) fn read(&self, wait: impl FnOnce() -> Result<()>) -> Result<Option<f64>> {
        self.readback.map_async(MapMode::Read, .., |_| {});
        wait()?;
        let ticks = self.readback.get_mapped_range(..).ok().map(|view| {
            let ticks: &[[u8; 8]] = bytemuck::cast_slice(&view);
            [ticks[0], ticks[1]].map(u64::from_le_bytes)
        });
        self.readback.unmap();
        Ok(ticks.and_then(|[start, end]| between(start, end, self.period)))
    }
}

/// Nanoseconds from one tick to another, if they are in order.
fn between(start: u64, end: u64, period: f64) -> Option<f64> {
    let ticks = end
        .checked_sub(start)
        .filter(|ticks| start != 0 && *ticks != 0)?;
    Some(ticks as f64 * period).filter(|time| time.is_finite() && *time > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(repeats: f64, samples: &[(f64, Option<f64>)]) -> Clock {
        let sample = |(host, stamped): &(f64, Option<f64>)| Sample {
            host: *host,
            stamped: *stamped,
        };
        let samples: Vec<Sample> = samples.iter().map(sample).collect();
        judge([(repeats, &samples[..])].into_iter())
    }

    #[test]
    fn timestamps_are_not_trusted_unseen() {
        let good = (1e7, Some(9e6));
        assert_eq!(judged(1.0, &[good, good]), Clock::Timestamps);
        // A sample that the host was late to see is no reason.
        assert_eq!(
            judged(1.0, &[good, (9e7, Some(9e6)), good]),
            Clock::Timestamps
        );
        assert_eq!(
            judged(1.0, &[good, (1e7, None)]),
            Clock::Host(Why::OutOfOrder)
        );
        // When commands were taken, not carried out.
        assert_eq!(judged(1.0, &[(1e7, Some(2e3))]), Clock::Host(Why::Disagree));
        // A tick that is not as long as the driver says.
        assert_eq!(judged(1.0, &[(1e7, Some(2e7))]), Clock::Host(Why::Disagree));
        // A sample so short that most of it is the way there and back, and one that only looks so.
        let short = (1e5, Some(2e4));
        assert_eq!(judged(1.0, &[short]), Clock::Timestamps);
        assert_eq!(judged(1.0, &[(1e5, Some(2e5))]), Clock::Host(Why::Disagree));
        assert_eq!(judged(100.0, &[short]), Clock::Host(Why::Disagree));
        // Where there are long ones, short ones say nothing.
        assert_eq!(judged(1.0, &[short, short, good]), Clock::Timestamps);
    }

    #[test]
    fn ticks_in_order() {
        assert_eq!(between(10, 30, 0.5), Some(10.0));
        for (start, end, period) in [
            (0, 0, 1.0),
            (0, 5, 1.0),
            (7, 7, 1.0),
            (9, 3, 1.0),
            (1, 2, 0.0),
        ] {
            assert_eq!(between(start, end, period), None, "{start} {end}");
        }
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
