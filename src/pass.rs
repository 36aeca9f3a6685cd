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
    /// Backward of the backward pass, for chains whose steps have second derivatives
    /// ([`Chain::supports`](crate::Chain::supports)). From x, dy and ddx, the gradient with respect to dx, to ddy, that with
    /// respect to dy, which is ddx f'(x), and dx, that with respect to x, which is ddx dy f''(x). PyTorch calls ddx `ggI`, ddy
    /// `ggO` and this dx `gI`.
    DoubleBackward,
}

impl Pass {
    /// Every pass.
    pub const ALL: [Pass; 4] = [
        Pass::Forward,
        Pass::Backward,
        Pass::BackwardFromY,
        Pass::DoubleBackward,
    ];

    /// The passes from x that every chain has.
    pub const FROM_X: [Pass; 2] = [Pass::Forward, Pass::Backward];

    /// The names of the operands, in the order of their bindings. What is written stands last: one operand, and two of a
    /// double backward pass ([`outputs`](Self::outputs)).
    pub const fn operands(self) -> &'static [&'static str] {
        match self {
            Pass::Forward => &["x", "y"],
            Pass::Backward => &["x", "dy", "dx"],
            Pass::BackwardFromY => &["y", "dy", "dx"],
            Pass::DoubleBackward => &["x", "dy", "ddx", "ddy", "dx"],
        }
    }

    /// The operands that are read, and those that are written.
    pub(crate) fn parts(self) -> (&'static [&'static str], &'static [&'static str]) {
        let outputs = if self == Pass::DoubleBackward { 2 } else { 1 };
        let all = self.operands();
        all.split_at(all.len() - outputs)
    }

    /// The names of the operands that are written.
    ///
    /// ```
    /// assert_eq!(nonlin::Pass::DoubleBackward.outputs(), ["ddy", "dx"]);
    /// ```
    pub fn outputs(self) -> &'static [&'static str] {
        self.parts().1
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pass::Forward => "forward",
            Pass::Backward => "backward",
            Pass::BackwardFromY => "backward from y",
            Pass::DoubleBackward => "double backward",
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
            "unknown pass \"back\"; known are forward, backward, backward from y, double backward"
        );
    }
}
