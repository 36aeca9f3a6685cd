//! Double backward through the door for slices.

use super::device::Gpu;
use super::slices::Ask;
use super::wait;
use crate::chain::Chain;
use crate::error::Error;
use crate::pass::Pass;
use crate::tensor::dtype::Element;
use crate::tensor::values::Values;

impl Gpu {
    /// The gradients with respect to `dy` and to `x`, in this order, given `ddx`, that with respect to the backward pass's
    /// dx: ddx f'(x) and ddx dy f''(x), in one dispatch. Blocks until they are there; any length will do.
    ///
    /// ```no_run
    /// # fn f(gpu: &nonlin::Gpu) -> Result<(), nonlin::Error> {
    /// let tanh = "tanh".parse()?;
    /// // The second derivative of tanh itself.
    /// let [_, d2x] = gpu.double_backward(&tanh, &[0.5], &[1.0], &[1.0])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ChainError::NoSecondDerivative`](crate::ChainError::NoSecondDerivative), and those of
    /// [`backward`](Self::backward).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn double_backward<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: &[T],
        ddx: &[T],
    ) -> Result<[Vec<T>; 2], Error> {
        let ask = Ask::new(chain, Pass::DoubleBackward, x, &[dy, ddx]);
        Ok(pair(self.waited(self.compute(&ask))?.0))
    }

    /// [`double_backward`](Self::double_backward) as a future.
    ///
    /// # Errors
    /// As [`double_backward`](Self::double_backward).
    pub async fn double_backward_async<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: &[T],
        ddx: &[T],
    ) -> Result<[Vec<T>; 2], Error> {
        let ask = Ask::new(chain, Pass::DoubleBackward, x, &[dy, ddx]);
        Ok(pair(
            wait::polled(self.device(), self.compute(&ask)).await?.0,
        ))
    }

    /// The same with the values of the chain's operands, whose own gradients this pass does not have. All of it has to fit on
    /// the device.
    ///
    /// # Errors
    /// As [`double_backward`](Self::double_backward) and [`forward_with`](Self::forward_with).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn double_backward_with<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: &[T],
        ddx: &[T],
        values: &Values,
    ) -> Result<[Vec<T>; 2], Error> {
        let ask = Ask::new(chain, Pass::DoubleBackward, x, &[dy, ddx]).with(values, &[]);
        Ok(pair(self.waited(self.compute(&ask))?.0))
    }

    /// [`double_backward_with`](Self::double_backward_with) as a future.
    ///
    /// # Errors
    /// As [`double_backward_with`](Self::double_backward_with).
    pub async fn double_backward_with_async<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: &[T],
        ddx: &[T],
        values: &Values,
    ) -> Result<[Vec<T>; 2], Error> {
        let ask = Ask::new(chain, Pass::DoubleBackward, x, &[dy, ddx]).with(values, &[]);
        Ok(pair(
            wait::polled(self.device(), self.compute(&ask)).await?.0,
        ))
    }
}

/// ddy and dx.
fn pair<T>(results: Vec<Vec<T>>) -> [Vec<T>; 2] {
    let mut results = results.into_iter();
    let mut next = || results.next().unwrap_or_default();
    [next(), next()]
}
