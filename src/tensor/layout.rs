//! How a tensor's elements are grouped, and whose the values of an operand are.

use crate::error::{Error, OperandError};

/// How x's elements are grouped, for values per channel: `outer` samples of `channels` of `inner` elements, as in
/// NCHW (inner is H W); NHWC and N x C have inner = 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Samples.
    pub outer: u64,
    /// Channels.
    pub channels: u64,
    /// Elements beside each other of one sample and channel.
    pub inner: u64,
}

impl Layout {
    /// The layout of a shape with channels along one axis; none if there is no such axis, or if there are more
    /// elements than u64 counts.
    ///
    /// ```
    /// use nonlin::Layout;
    ///
    /// let nchw = Layout::of_shape(&[32, 3, 224, 224], 1);
    /// assert_eq!(nchw, Some(Layout { outer: 32, channels: 3, inner: 224 * 224 }));
    /// assert_eq!(Layout::of_shape(&[7], 1), None);
    /// assert_eq!(Layout::of_shape(&[u64::MAX, 2], 1), None);
    /// ```
    pub fn of_shape(shape: &[u64], channel_axis: usize) -> Option<Layout> {
        let channels = *shape.get(channel_axis)?;
        let product = |lengths: &[u64]| {
            let mut lengths = lengths.iter();
            lengths.try_fold(1u64, |product, length| product.checked_mul(*length))
        };
        let outer = product(&shape[..channel_axis])?;
        let inner = product(&shape[channel_axis + 1..])?;
        outer.checked_mul(channels)?.checked_mul(inner)?;
        Some(Layout {
            outer,
            channels,
            inner,
        })
    }

    /// One sample of one channel.
    pub(crate) fn flat(len: u64) -> Layout {
        Layout {
            outer: 1,
            channels: 1,
            inner: len,
        }
    }

    /// Refuses a layout of other than `len` elements.
    pub(crate) fn check(self, operand: &str, len: u64) -> Result<(), Error> {
        let samples = self.outer.checked_mul(self.channels);
        let elements = samples.and_then(|samples| samples.checked_mul(self.inner));
        if elements == Some(len) {
            return Ok(());
        }
        Err(self.bad_length(operand, len, elements.into_iter().collect()))
    }

    /// How the values of an operand are spread over `len` elements.
    pub(crate) fn spread(self, whose: Whose, len: u64) -> Spread {
        let (inner, count) = match whose {
            Whose::Each => (1, len),
            Whose::Shared => (len, 1),
            Whose::Channel => (self.inner, self.channels),
            Whose::SampleChannel => (self.inner, self.outer * self.channels),
        };
        Spread {
            inner: inner.max(1),
            count: count.max(1),
        }
    }
}

/// Whose the values of an operand are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// One for each element.
    Each,
    /// One for all.
    Shared,
    /// One for each channel.
    Channel,
    /// One for each sample and channel.
    SampleChannel,
}

impl Layout {
    pub(crate) fn whose(self, operand: &str, len: u64, elements: u64) -> Result<Whose, Error> {
        let samples = self.outer.saturating_mul(self.channels);
        let kinds = [
            (elements, Whose::Each),
            (1, Whose::Shared),
            (self.channels, Whose::Channel),
            (samples, Whose::SampleChannel),
        ];
        let found = kinds.iter().find(|(allowed, _)| *allowed == len);
        found.map(|(_, whose)| *whose).ok_or_else(|| {
            let mut allowed = vec![1, self.channels, samples, elements];
            allowed.sort_unstable();
            allowed.dedup();
            self.bad_length(operand, len, allowed)
        })
    }

    pub(crate) fn bad_length(self, operand: &str, len: u64, allowed: Vec<u64>) -> Error {
        Error::Operand(OperandError::BadLength {
            operand: operand.to_owned(),
            len,
            outer: self.outer,
            channels: self.channels,
            inner: self.inner,
            allowed,
        })
    }
}

/// The value of element i is that of index (i / inner) % count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) inner: u64,
    pub(crate) count: u64,
}

impl Spread {
    pub(crate) fn index(self, element: usize) -> usize {
        ((element as u64 / self.inner) % self.count) as usize
    }
}
