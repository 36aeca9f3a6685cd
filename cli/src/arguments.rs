//! The arguments of `nonlin run`: files by the names of a chain's operands, and the shapes they may have.

use crate::npy::{count, text};
use crate::output::DASH;
use crate::{Failure, Result};
use nonlin::{Chain, Layout};
use std::path::{Path, PathBuf};

/// The channel axis where none is given: that of N x C and of NCHW.
const DEFAULT_AXIS: usize = 1;

/// A file for an operand: `name=file`.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl Named {
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        let parts = text.split_once('=');
        let parts = parts.filter(|(name, path)| !name.is_empty() && !path.is_empty());
        let (name, path) = parts.ok_or("a name, = and a file are needed, as in w=w.npy")?;
        if path == "-" {
            return Err(DASH);
        }
        Ok(Named {
            name: name.into(),
            path: path.into(),
        })
    }
}

/// Refuses names that the chain does not have or that come twice, and a chain without all of its operands, of which one may
/// be packed with x.
pub(crate) fn check_names(
    chain: &Chain,
    arguments: &[Named],
    gradients: &[Named],
    packed: Option<&str>,
) -> Result<()> {
    let operands = chain.operands();
    for (option, files) in [("--arg", arguments), ("--grad", gradients)] {
        for (index, Named { name, .. }) in files.iter().enumerate() {
            if !operands.contains(&name.as_str()) {
                let known = match operands.as_slice() {
                    [] => "it has none".into(),
                    operands => format!("it has {}", operands.join(", ")),
                };
                return Err(Failure(format!(
                    "{option} {name}: the chain {chain} has no operand of that name; {known}"
                )));
            }
            if files[..index].iter().any(|other| other.name == *name) {
                return Err(Failure(format!("{option} {name} is given twice")));
            }
        }
    }
    for name in operands {
        let is_packed = packed == Some(name);
        if !is_packed && !arguments.iter().any(|argument| argument.name == name) {
            return Err(Failure(format!(
                "the chain {chain} needs values for @{name}: --arg {name}=FILE"
            )));
        }
    }
    Ok(())
}

/// Which of x's axes are channels, and so what shapes arguments may have.
pub(crate) struct Channels<'a> {
    x: &'a [u64],
    file: &'a Path,
    /// None where nobody asked for one, and x has too few axes for the default.
    axis: Option<usize>,
    /// Whether the user decided.
    explicit: bool,
    /// Whether each element of a sample is a channel.
    of_samples: bool,
}

impl<'a> Channels<'a> {
    /// The channels of x, of this shape and file, along an axis; negative ones count from the end.
    pub(crate) fn new(x: &'a [u64], file: &'a Path, asked: Option<i64>) -> Result<Self> {
        let axes = x.len();
        let resolved = |asked: i64| {
            let from_start = usize::try_from(asked).ok();
            let from_end = || axes.checked_sub(usize::try_from(asked.unsigned_abs()).ok()?);
            let axis = if asked < 0 { from_end() } else { from_start };
            axis.filter(|axis| *axis < axes).ok_or_else(|| {
                Failure(format!(
                    "--channel-axis {asked} is out of range: {} has the shape {}, whose ndim is {axes}",
                    file.display(),
                    text(x)
                ))
            })
        };
        let axis = match asked {
            Some(asked) => Some(resolved(asked)?),
            None => Some(DEFAULT_AXIS).filter(|axis| *axis < axes),
        };
        Ok(Channels {
            x,
            file,
            axis,
            explicit: asked.is_some(),
            of_samples: false,
        })
    }

    /// How the library is told. There is none for an x that is empty beside axes too long to be multiplied.
    pub(crate) fn layout(&self) -> Option<Layout> {
        if self.of_samples {
            return Layout::of_shape(&[self.x[0], count(&self.x[1..])?], 1);
        }
        let axis = self.axis?;
        let (outer, channels) = (count(&self.x[..axis])?, self.x[axis]);
        outer.checked_mul(channels)?;
        let inner = count(&self.x[axis + 1..])?;
        Some(Layout {
            outer,
            channels,
            inner,
        })
    }

    /// The same channels, or, where an operand has a value for each element of a sample, as many channels as a sample has
    /// elements: (H, W, C) beside (N, H, W, C).
    pub(crate) fn with_samples(mut self, shapes: &[&[u64]]) -> Self {
        let of_samples = |shape: &&&[u64]| self.x.len() > 2 && **shape == &self.x[1..];
        let known = self::shapes(self.x, self.axis);
        let mut found = shapes.iter().filter(of_samples);
        self.of_samples = found.any(|shape| !known.iter().any(|known| known == shape));
        self
    }

    /// What stands beside an operand with a value for each element of a sample: one for all, the same, or x's shape.
    fn check_of_samples(&self, found: &str, shape: &[u64]) -> Result<()> {
        let ones = shape.iter().all(|length| *length == 1);
        if ones || shape == self.x || shape == &self.x[1..] {
            return Ok(());
        }
        let (file, sample) = (self.file.display(), text(&self.x[1..]));
        Err(Failure(format!(
            "{found}, but another operand has {sample}, a value for each element of a sample of {file}; beside it, it must \
             be () or {sample} or {}",
            text(self.x)
        )))
    }

    /// Refuses an argument whose shape does not say, in one way only, whose its values are.
    ///
    /// The library then goes by the number of values: where two of the shapes that fit have the same, they
    /// mean the same.
    pub(crate) fn check(&self, argument: &Named, shape: &[u64]) -> Result<()> {
        let (x, file) = (text(self.x), self.file.display());
        let found = format!(
            "--arg {}: {} has the shape {}",
            argument.name,
            argument.path.display(),
            text(shape)
        );
        if self.of_samples {
            return self.check_of_samples(&found, shape);
        }
        let fits = |axis| {
            let ones = shape.iter().all(|length| *length == 1);
            ones || shapes(self.x, axis).iter().any(|fit| fit == shape)
        };
        let last = self.x.len().checked_sub(1);
        let or_last = |text: &'static str| match !self.explicit && fits(last) {
            true => text,
            false => "",
        };
        if !fits(self.axis) {
            let along = match self.axis {
                Some(axis) => format!("with channels along axis {axis}"),
                None => "without channels".into(),
            };
            let allowed = shapes(self.x, self.axis);
            let allowed: Vec<_> = allowed.iter().map(|shape| text(shape)).collect();
            let hint = or_last("; with channels along the last axis, say --channel-axis -1");
            return Err(Failure(format!(
                "{found}, but {file} has {x}; {along} it must be {}{hint}",
                allowed.join(" or ")
            )));
        }
        match self.axis {
            Some(axis) if !self.explicit && is_ambiguous(self.x, axis, shape) => {
                let per_axis = match shape.len() {
                    1 => keepdims(self.x, axis..axis + 1),
                    _ => keepdims(self.x, 0..axis + 1),
                };
                let or_last = or_last(" or --channel-axis -1");
                Err(Failure(format!(
                    "{found}, which fits the {x} of {file} in two ways: along its first axes, with channels \
                     along axis {axis} as in PyTorch, and along its last, as NumPy broadcasts; say --channel-axis \
                     {axis}{or_last}, or give it the shape {}",
                    text(&per_axis)
                )))
            }
            _ => Ok(()),
        }
    }
}

/// The shapes that an argument may have, beside others of ones alone: shared, per channel, per sample and
/// channel, per element.
fn shapes(x: &[u64], axis: Option<usize>) -> Vec<Vec<u64>> {
    let mut all = vec![Vec::new()];
    if let Some(axis) = axis {
        all.push(vec![x[axis]]);
        let kept = keepdims(x, axis..axis + 1);
        // As PyTorch and Keras have it, without the axes before the channels: (C, 1, 1).
        all.extend((0..=axis).map(|from| kept[from..].to_vec()));
        all.push(x[..=axis].to_vec());
        all.push(keepdims(x, 0..axis + 1));
    }
    all.push(x.to_vec());
    let mut distinct: Vec<Vec<u64>> = Vec::new();
    for shape in all {
        if !distinct.contains(&shape) {
            distinct.push(shape);
        }
    }
    distinct
}

/// x's shape, with ones for all axes but some.
fn keepdims(x: &[u64], kept: std::ops::Range<usize>) -> Vec<u64> {
    let lengths = x.iter().enumerate();
    lengths
        .map(|(axis, length)| if kept.contains(&axis) { *length } else { 1 })
        .collect()
}

/// Whether a shape that fits with channels along an axis is one that NumPy broadcasts in another way: it sets
/// a shape of fewer axes against x's last ones.
fn is_ambiguous(x: &[u64], axis: usize, shape: &[u64]) -> bool {
    let broadcasts = shape
        .iter()
        .rev()
        .zip(x.iter().rev())
        .all(|(a, b)| *a == 1 || a == b);
    let ones = shape.iter().all(|length| *length == 1);
    // (C, 1, 1) has the channels where NumPy has them.
    let missing = x.len().saturating_sub(shape.len());
    let is_aligned = missing <= axis && keepdims(x, axis..axis + 1)[missing..] == *shape;
    broadcasts && !ones && !is_aligned && shape.len() < x.len() && axis + 1 < x.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shape<'a> = &'a [u64];

    fn checked(x: &[u64], axis: Option<i64>, shape: &[u64]) -> std::result::Result<(), String> {
        let channels = Channels::new(x, Path::new("x.npy"), axis).map_err(|f| f.0)?;
        let argument = Named::parse("w=w.npy").unwrap();
        let checked = channels.check(&argument, shape);
        checked.map_err(|f| f.0)
    }

    #[test]
    fn shapes_that_fit() {
        let none = None;
        let cases: &[(Shape, Option<i64>, &[Shape])] = &[
            // Shared, per channel, per sample and channel, per element; with and without axes of length one.
            (
                &[2, 3, 4, 5],
                none,
                &[
                    &[],
                    &[1],
                    &[1, 1],
                    &[1, 1, 1, 1, 1],
                    &[3],
                    &[1, 3, 1, 1],
                    &[2, 3],
                    &[2, 3, 1, 1],
                    &[2, 3, 4, 5],
                ],
            ),
            (&[2, 3], none, &[&[], &[3], &[1, 3], &[2, 3]]),
            // No other axis is as long, or there is no other.
            (&[3, 3], none, &[&[3], &[1, 3], &[3, 3]]),
            (&[3, 3, 2], none, &[&[3], &[3, 3]]),
            (&[7], none, &[&[], &[1], &[7]]),
            (&[7], Some(0), &[&[], &[7]]),
            (&[], none, &[&[], &[1]]),
            // Channels last.
            (
                &[2, 4, 5, 3],
                Some(-1),
                &[&[], &[3], &[1, 1, 1, 3], &[2, 4, 5, 3]],
            ),
            (&[2, 3, 4], Some(2), &[&[4], &[1, 1, 4]]),
            // Others.
            (&[2, 3, 4], Some(0), &[&[], &[2], &[2, 1, 1], &[2, 3, 4]]),
            (
                &[2, 3, 4, 5],
                Some(-2),
                &[&[4], &[1, 1, 4, 1], &[2, 3, 4], &[2, 3, 4, 1]],
            ),
            // What could be ambiguous was decided, or says so itself.
            (&[2, 3, 3], Some(1), &[&[3], &[2, 3]]),
            (&[2, 3, 3], Some(-1), &[&[3]]),
            (&[2, 3, 3], none, &[&[1, 3, 1], &[2, 3, 1], &[2, 3]]),
            (&[2, 3, 2, 3], Some(1), &[&[2, 3]]),
            (&[2, 3, 2, 3], none, &[&[2, 3, 1, 1]]),
            (&[3, 1, 3, 4], Some(1), &[&[3, 1]]),
            // Nothing to compute.
            (&[0, 3], none, &[&[], &[3], &[0, 3]]),
            (&[2, 3, 0], none, &[&[3], &[2, 3], &[2, 3, 0]]),
        ];
        for (x, axis, shapes) in cases {
            for shape in *shapes {
                let checked = checked(x, *axis, shape);
                assert_eq!(checked, Ok(()), "{x:?} {axis:?} {shape:?}");
            }
        }
    }

    #[test]
    fn shapes_that_do_not() {
        let cases: &[(Shape, Option<i64>, &[Shape])] = &[
            // As many values as fit, in another shape.
            (
                &[2, 3, 4],
                None,
                &[&[6], &[24], &[3, 2], &[4, 3, 2], &[12, 2]],
            ),
            (&[2, 3, 4], None, &[&[1, 3], &[3, 1, 1], &[1, 1, 3]]),
            // Other axes, and other lengths.
            (
                &[2, 3, 4],
                None,
                &[&[2], &[4], &[3, 4], &[1, 3, 4], &[2, 1, 1]],
            ),
            (
                &[2, 3, 4],
                None,
                &[&[5], &[0], &[2, 3, 4, 1], &[1, 2, 3, 4]],
            ),
            (&[2, 3, 4], Some(1), &[&[4], &[2], &[1, 1, 4], &[3, 4]]),
            (&[2, 3, 4], Some(-1), &[&[3], &[2, 3], &[1, 3, 1], &[3, 4]]),
            (&[2, 3, 4], Some(0), &[&[3], &[4], &[2, 3]]),
            (&[4, 3], None, &[&[4], &[4, 1], &[12], &[3, 4]]),
            (&[7], None, &[&[6], &[7, 1], &[1, 7]]),
            (&[], None, &[&[2]]),
            (&[0, 3], None, &[&[0], &[2]]),
        ];
        for (x, axis, shapes) in cases {
            for shape in *shapes {
                let problem = checked(x, *axis, shape).unwrap_err();
                assert!(
                    problem.contains(" it must be ()"),
                    "{x:?} {axis:?}: {problem}"
                );
            }
        }
    }

    #[test]
    fn shapes_with_two_meanings() {
        let cases: &[(&[u64], &[u64], &str)] = &[
            (
                &[2, 3, 3],
                &[3],
                "--channel-axis 1 or --channel-axis -1, or give it the shape (1, 3, 1)",
            ),
            (
                &[3, 3, 3, 3],
                &[3],
                "--channel-axis 1 or --channel-axis -1, or give it the shape (1, 3, 1, 1)",
            ),
            (
                &[2, 3, 2, 3],
                &[2, 3],
                "--channel-axis 1, or give it the shape (2, 3, 1, 1)",
            ),
            (
                &[3, 3, 3],
                &[3, 3],
                "--channel-axis 1, or give it the shape (3, 3, 1)",
            ),
            // NumPy takes an axis of length one as one of any length.
            (
                &[1, 3, 3],
                &[1, 3],
                "--channel-axis 1 or --channel-axis -1, or give it the shape (1, 3, 1)",
            ),
            (
                &[3, 1, 3, 4],
                &[3, 1],
                "--channel-axis 1, or give it the shape (3, 1, 1, 1)",
            ),
        ];
        for (x, shape, ways) in cases {
            let problem = checked(x, None, shape).unwrap_err();
            let wanted = format!(
                "--arg w: w.npy has the shape {}, which fits the {} of x.npy in two ways: along its first axes, \
                 with channels along axis 1 as in PyTorch, and along its last, as NumPy broadcasts; say {ways}",
                text(shape),
                text(x)
            );
            assert_eq!(problem, wanted);
        }
    }

    #[test]
    fn the_last_axis_is_suggested_where_it_fits() {
        let hint = "; with channels along the last axis, say --channel-axis -1";
        let cases: &[(Shape, Option<i64>, Shape, &str)] = &[
            (
                &[2, 3, 4],
                None,
                &[4],
                "() or (3,) or (1, 3, 1) or (3, 1) or (2, 3) or (2, 3, 1) or (2, 3, 4); with channels along the last axis, \
                 say --channel-axis -1",
            ),
            (&[2, 3, 4], None, &[1, 1, 4], hint),
            (&[2, 3, 4], None, &[5], "(2, 3, 1) or (2, 3, 4)"),
            (&[2, 3, 4], Some(1), &[4], "(2, 3, 1) or (2, 3, 4)"),
            (
                &[4, 3],
                None,
                &[4],
                "must be () or (3,) or (1, 3) or (4, 3)",
            ),
            (&[7], None, &[6], "without channels it must be () or (7,)"),
        ];
        for (x, axis, shape, end) in cases {
            let problem = checked(x, *axis, shape).unwrap_err();
            assert!(problem.ends_with(end), "{problem}");
        }
    }

    /// x's own shape is never in doubt, and what is of no use is said beside it.
    #[test]
    fn tensors_of_steps() {
        assert_eq!(checked(&[2, 2], None, &[2, 2]), Ok(()));
        assert_eq!(checked(&[2, 3, 4], None, &[2, 3, 1]), Ok(()));
        for shape in [&[6][..], &[3, 2], &[1, 2, 3]] {
            let problem = checked(&[2, 3], None, shape).unwrap_err();
            assert!(problem.contains("but x.npy has (2, 3); with"), "{problem}");
        }
    }

    /// A value for each element of a sample, as Keras' PReLU has it.
    #[test]
    fn samples() {
        let x = [2, 3, 4, 5];
        let channels = || Channels::new(&x, Path::new("x.npy"), None).map_err(|f| f.0);
        let of_samples = channels().unwrap().with_samples(&[&[3, 4, 5], &[1]]);
        let layout = of_samples.layout().unwrap();
        assert_eq!((layout.outer, layout.channels, layout.inner), (2, 60, 1));
        let argument = Named::parse("w=w.npy").unwrap();
        for shape in [&[3, 4, 5][..], &[2, 3, 4, 5], &[1]] {
            assert!(of_samples.check(&argument, shape).is_ok());
        }
        let problem = of_samples.check(&argument, &[3]).unwrap_err().0;
        assert_eq!(
            problem,
            "--arg w: w.npy has the shape (3,), but another operand has (3, 4, 5), a value for each element of a sample \
             of x.npy; beside it, it must be () or (3, 4, 5) or (2, 3, 4, 5)"
        );
        let usual = channels().unwrap().with_samples(&[&[3], &[2, 3]]);
        assert_eq!(usual.layout().unwrap().channels, 3);
    }

    #[test]
    fn axes() {
        let resolved = |x: &[u64], asked| {
            let channels = Channels::new(x, Path::new("x.npy"), asked);
            channels.map(|channels| channels.axis).map_err(|f| f.0)
        };
        let x: &[u64] = &[2, 3, 4];
        for (asked, axis) in [(0, 0), (2, 2), (-1, 2), (-3, 0)] {
            assert_eq!(resolved(x, Some(asked)), Ok(Some(axis)));
        }
        assert_eq!(resolved(x, None), Ok(Some(1)));
        assert_eq!(resolved(&[2], None), Ok(None));
        assert_eq!(resolved(&[], None), Ok(None));
        let long: &[(&[u64], i64, &str)] = &[
            (x, 3, "(2, 3, 4), whose ndim is 3"),
            (x, -4, "(2, 3, 4), whose ndim is 3"),
            (x, i64::MAX, "(2, 3, 4), whose ndim is 3"),
            (x, i64::MIN, "(2, 3, 4), whose ndim is 3"),
            (&[7], 1, "(7,), whose ndim is 1"),
            (&[], 0, "(), whose ndim is 0"),
            (&[], -1, "(), whose ndim is 0"),
        ];
        for (x, asked, shape) in long {
            let wanted =
                format!("--channel-axis {asked} is out of range: x.npy has the shape {shape}");
            assert_eq!(resolved(x, Some(*asked)), Err(wanted));
        }
    }

    #[test]
    fn layouts() {
        let layout = |x: &[u64], axis| {
            let layout = Channels::new(x, Path::new("x.npy"), axis).unwrap().layout();
            layout.map(|layout| [layout.outer, layout.channels, layout.inner])
        };
        assert_eq!(layout(&[2, 3, 4, 5], None), Some([2, 3, 20]));
        assert_eq!(layout(&[2, 3, 4, 5], Some(-1)), Some([24, 5, 1]));
        assert_eq!(layout(&[2, 3, 4, 5], Some(0)), Some([1, 2, 60]));
        assert_eq!(layout(&[2, 3], None), Some([2, 3, 1]));
        assert_eq!(layout(&[7], None), None);
        assert_eq!(layout(&[0, 3], None), Some([0, 3, 1]));
        assert_eq!(layout(&[u64::MAX, 2, 0], None), None);
        assert_eq!(layout(&[u64::MAX, 2, 0], Some(2)), None);
        assert_eq!(layout(&[0, 2, u64::MAX, 2], None), None);
    }

    #[test]
    fn names_and_files() {
        let named = |text| Named::parse(text).map(|Named { name, path }| (name, path));
        assert_eq!(named("w=w.npy"), Ok(("w".into(), "w.npy".into())));
        assert_eq!(named("w=a=b"), Ok(("w".into(), "a=b".into())));
        for text in ["", "w", "w=", "=w.npy", "="] {
            assert!(Named::parse(text).is_err(), "{text}");
        }
    }
}
