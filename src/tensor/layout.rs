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

    /// Refuses a layout of other than `len` elements, or one of which a part has more than can be counted.
    pub(crate) fn check(self, operand: &str, len: u64) -> Result<(), Error> {
        let lengths = [self.outer, self.channels, self.inner];
        let product = |lengths: [u64; 3]| {
            let mut lengths = lengths.into_iter();
            lengths.try_fold(1u64, |product, length| product.checked_mul(length))
        };
        // None of them makes another small.
        let elements = product(lengths.map(|length| length.max(1))).and_then(|_| product(lengths));
        if elements == Some(len) {
            return Ok(());
        }
        Err(self.bad_length(operand, len, elements.into_iter().collect()))
    }

    /// Whether all elements of a row along the channels have the same value.
    pub(crate) fn is_of_rows(self, spread: Broadcast) -> bool {
        let Broadcast {
            inner,
            count,
            period,
        } = spread;
        let sample = (self.channels * self.inner).max(1);
        let run = inner * count;
        inner.is_multiple_of(sample)
            || (run <= self.inner
                && self.inner.is_multiple_of(run)
                && period.is_multiple_of(sample))
    }

    /// Refuses an operand of so many values that has several for one row.
    pub(crate) fn check_of_rows(
        self,
        operand: &str,
        len: u64,
        spread: Broadcast,
    ) -> Result<(), Error> {
        if self.is_of_rows(spread) {
            return Ok(());
        }
        let allowed = if self.inner == 1 {
            vec![1]
        } else {
            vec![1, self.outer * self.inner]
        };
        Err(self.bad_length(operand, len, allowed))
    }

    /// How the values of an operand are spread over `len` elements.
    pub(crate) fn spread(self, whose: Whose, len: u64) -> Broadcast {
        let (inner, count) = match whose {
            Whose::Each => (1, len),
            Whose::Shared => (len, 1),
            Whose::Channel => (self.inner, self.channels),
            Whose::SampleChannel => (self.inner, self.outer * self.channels),
            Whose::Broadcast(broadcast) => return broadcast,
        };
        Broadcast {
            inner: inner.max(1),
            count: count.max(1),
            period: len.max(1),
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
    /// As it was given.
    Broadcast(Broadcast),
}

impl Layout {
    /// Whose the values of an operand of so many are, for so many elements, where it may be said how they are spread.
    pub(crate) fn whose(
        self,
        operand: &str,
        len: u64,
        elements: u64,
        given: Option<Broadcast>,
    ) -> Result<Whose, Error> {
        if let Some(broadcast) = given {
            let wanted = broadcast.fits(elements).then(|| broadcast.values(elements));
            return match wanted {
                Some(wanted) if wanted == len => Ok(self.plain(broadcast, elements)),
                wanted => Err(self.bad_length(operand, len, wanted.into_iter().collect())),
            };
        }
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

    /// Whose the values are that are broadcast so: what a length would say as well, where one does.
    fn plain(self, broadcast: Broadcast, elements: u64) -> Whose {
        let kinds = [
            Whose::Each,
            Whose::Shared,
            Whose::Channel,
            Whose::SampleChannel,
        ];
        let own = broadcast.simplest(elements);
        let is_same = |whose: &Whose| self.spread(*whose, elements).simplest(elements) == own;
        let found = kinds.into_iter().find(is_same);
        found.unwrap_or(Whose::Broadcast(broadcast))
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

/// Which of an operand's values an element has, where neither its length nor the [`Layout`] says so: element i has the value
/// of index (i / period) * count + (i / inner) % count.
///
/// ```
/// use nonlin::Broadcast;
///
/// // A mask for all heads of x of batch x heads x queries x keys, and a sink for each head.
/// let x = [2, 8, 64, 32];
/// let mask = Broadcast::of_shapes(&x, &[2, 1, 64, 32]).unwrap();
/// assert_eq!((mask.inner, mask.count, mask.period), (1, 64 * 32, 8 * 64 * 32));
/// let sink = Broadcast::of_shapes(&x, &[8, 1, 1]).unwrap();
/// assert_eq!((sink.inner, sink.count, sink.period), (64 * 32, 8, 2 * 8 * 64 * 32));
/// // Two axes with another between them that it does not have, and ones that are not the outermost:
/// assert_eq!(Broadcast::of_shapes(&x, &[1, 8, 1, 32]), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// Elements beside each other that share a value.
    pub inner: u64,
    /// Values that follow each other, before they begin again.
    pub count: u64,
    /// Elements after which other values follow.
    pub period: u64,
}

impl Broadcast {
    /// How a tensor of one shape is broadcast to x's by NumPy's rules. None where it is not, or in a way that a chain's
    /// operands cannot be: they have x's outermost axes, or none of these, and a run of x's axes further in.
    pub fn of_shapes(x: &[u64], operand: &[u64]) -> Option<Broadcast> {
        let missing = x.len().checked_sub(operand.len())?;
        let ones = std::iter::repeat_n(1, missing);
        let operand: Vec<u64> = ones.chain(operand.iter().copied()).collect();
        if !x.iter().zip(&operand).all(|(x, o)| x == o || *o == 1) {
            return None;
        }
        let product = |lengths: &[u64]| {
            let mut lengths = lengths.iter();
            lengths.try_fold(1u64, |product, length| product.checked_mul(*length))
        };
        // An axis of one element is whatever its neighbours are.
        let kept: Vec<Option<bool>> = x
            .iter()
            .zip(&operand)
            .map(|(x, o)| (*x != 1).then_some(x == o))
            .collect();
        let is = |axis: usize, wanted: bool| kept[axis].is_none_or(|kept| kept == wanted);
        let mut axis = x.len();
        while axis > 0 && is(axis - 1, false) {
            axis -= 1;
        }
        let inner = product(&x[axis..])?;
        let end = axis;
        while axis > 0 && is(axis - 1, true) {
            axis -= 1;
        }
        let count = product(&x[axis..end])?;
        while axis > 0 && is(axis - 1, false) {
            axis -= 1;
        }
        let period = product(&x[axis..])?;
        (0..axis).all(|axis| is(axis, true)).then_some(Broadcast {
            inner,
            count,
            period,
        })
    }

    /// How many values there are for so many elements.
    pub(crate) fn values(self, len: u64) -> u64 {
        len / self.period.max(1) * self.count
    }

    /// The same, told in one way alone where values do not begin again.
    fn simplest(self, len: u64) -> Broadcast {
        let inner = if self.count == 1 {
            self.period
        } else {
            self.inner
        };
        if inner * self.count != self.period {
            return self;
        }
        Broadcast {
            inner,
            count: len / inner,
            period: len,
        }
    }

    /// Whether whole values belong to so many elements.
    pub(crate) fn fits(self, len: u64) -> bool {
        let Broadcast {
            inner,
            count,
            period,
        } = self;
        let run = inner.checked_mul(count);
        run.is_some_and(|run| {
            run > 0 && period > 0 && period.is_multiple_of(run) && len.is_multiple_of(period)
        })
    }

    pub(crate) fn index(self, element: usize) -> usize {
        let element = element as u64;
        ((element / self.period) * self.count + (element / self.inner) % self.count) as usize
    }
}
