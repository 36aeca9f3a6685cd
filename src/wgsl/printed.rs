//! A chain's text for whoever asks: as one kernel, or as functions for a kernel of one's own.

use super::chain::functions;
use super::form::{Body, Form};
use super::kernel::kernel;
use crate::chain::Chain;
use crate::error::{ChainError, Error};
use crate::pass::Pass;
use crate::tensor::dtype::DType;

impl Chain {
    /// The WGSL of a pass as one kernel, in the form that f32 operands at 16-byte places get: four
    /// elements a word, one word an invocation, for any length. Operands that steps take their values from are as long
    /// as x there, and no gradient but dx is asked for.
    ///
    /// # Errors
    /// [`ChainError::Empty`], [`ChainError::BadValue`] for a parameter that is not finite, and
    /// [`ChainError::NeedsInput`].
    pub fn wgsl(&self, pass: Pass) -> Result<String, Error> {
        self.validate()?;
        self.supports(pass)?;
        Ok(kernel(
            Body::Chain(self, pass),
            &Form::plain(Body::Chain(self, pass), DType::F32.into()),
        ))
    }

    /// The chain as WGSL functions of one element, to be pasted into somebody's own kernel:
    ///
    /// - `<prefix>_y(x: f32) -> f32`, the value,
    /// - `<prefix>_dx(x: f32, dy: f32) -> f32`, the gradient with respect to x.
    ///
    /// Operands that steps take their values from are f32 parameters behind these, under their names, and
    /// `<prefix>_gradients`, which takes what `<prefix>_dx` takes, returns the gradients with respect to x
    /// and to each of them that has one, as a struct with `dx` and `d_<name>`: the element's share, to be
    /// summed where several elements have one value. The numbers that random steps draw are f32
    /// parameters `random_<step>`: the factor for dropout, the slope for rrelu.
    ///
    /// If the chain has constants, all take a `c: <prefix>_Scalars` at the end: a struct of one f32 for each,
    /// in the order of [`values`](Self::values); the text does not depend on what they are. Everything
    /// else in the text has names that begin with the prefix. A NaN is not taken care of: test x by its
    /// bits if it matters (no comparison of floats tells NaN on every driver).
    ///
    /// # Errors
    /// [`ChainError::Empty`], [`ChainError::BadValue`], [`ChainError::BadPrefix`], and [`ChainError::Misplaced`] for a
    /// chain with a step over whole rows.
    ///
    /// ```
    /// use nonlin::Chain;
    ///
    /// let text = "gelu | scale(2)".parse::<Chain>()?.functions("epilogue")?;
    /// assert!(text.contains("fn epilogue_y(x: f32, c: epilogue_Scalars) -> f32"));
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    pub fn functions(&self, prefix: &str) -> Result<String, Error> {
        self.validate()?;
        let letter_first = prefix.starts_with(|c: char| c.is_ascii_alphabetic());
        if !letter_first || prefix.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            return Err(Error::Chain(ChainError::BadPrefix {
                prefix: prefix.to_owned(),
            }));
        }
        self.refuse_rows("it needs all of a row, and this is for one element")?;
        Ok(functions(self, prefix))
    }
}
