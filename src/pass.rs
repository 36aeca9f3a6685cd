//! The passes of a chain or a layer. They stand this low since errors name them.

use crate::error::{Error, named};
use std::fmt;
use std::str::FromStr;

/// Which way a chain is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// From x to y, the chain's value.
    Forward,
    /// From x and dy, the gradient with respect to the value, to dx, that with respect to x.
    Backward,
    /// From y, the value, and dy to dx, for chains whose value says enough
    /// ([`Chain::supports`](crate::Chain::supports)): x need not be kept.
    BackwardFromY,
}

impl Pass {
    /// Every pass.
    pub const ALL: [Pass; 3] = [Pass::Forward, Pass::Backward, Pass::BackwardFromY];

    /// The passes that work from x, which every chain has.
    pub const FROM_X: [Pass; 2] = [Pass::Forward, Pass::Backward];

    /// The names of the operands, in the order of their bindings; the last one is written.
    pub const fn operands(self) -> &'static [&'static str] {
        match self {
            Pass::Forward => &["x", "y"],
            Pass::Backward => &["x", "dy", "dx"],
            Pass::BackwardFromY => &["y", "dy", "dx"],
        }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pass::Forward => "forward",
            Pass::Backward => "backward",
            Pass::BackwardFromY => "backward from y",
        })
    }
}

/// From what is displayed, or the same with hyphens, as in `backward-from-y`.
impl FromStr for Pass {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        named("pass", &Self::ALL, &text.replace('-', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_read_as_they_are_displayed() {
        for pass in Pass::ALL {
            assert_eq!(pass.to_string().parse(), Ok(pass));
        }
        assert_eq!("backward-from-y".parse(), Ok(Pass::BackwardFromY));
        let unknown = "back".parse::<Pass>().unwrap_err().to_string();
        assert_eq!(
            unknown,
            "unknown pass \"back\"; known are forward, backward, backward from y"
        );
    }
}
