//! The reference: the same chain with the same arguments, in f64 on the CPU, from the mathematical
//! definitions. Nothing of it is shared with the shaders.

use crate::act::Room;
use crate::{Chain, Element, Error, Step};

/// The value of `f` at `x`; NaN for NaN; for an infinite `x` the limit, taken from a point so far out that
/// anything which still grows there has left the range of f32.
pub(crate) fn at(f: fn(f64, &[f64]) -> f64, x: f64, p: &[f64]) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.is_finite() {
        return f(x, p);
    }
    let y = f(f64::copysign(1e100, x), p);
    if y.abs() > 1e50 { y * f64::INFINITY } else { y }
}

/// A step in f64: multiply, or an activation's room with its parameters.
pub(crate) enum Step64 {
    Scale(f64),
    Activation(&'static Room, Vec<f64>),
}

impl Step64 {
    pub(crate) fn of(chain: &Chain) -> Result<Vec<Step64>, Error> {
        chain.validate()?;
        Ok(chain.steps().iter().map(Step64::new).collect())
    }

    fn new(step: &Step) -> Step64 {
        match step {
            Step::Scale(factor) => Step64::Scale(f64::from(*factor)),
            Step::Activation(a) => Step64::Activation(a.entry().room, a.values_f64()),
        }
    }

    fn y(&self, x: f64) -> f64 {
        match self {
            Step64::Scale(factor) => x * factor,
            Step64::Activation(room, p) => at(room.y, x, p),
        }
    }

    fn dx(&self, x: f64) -> f64 {
        match self {
            Step64::Scale(factor) => *factor,
            Step64::Activation(room, p) => at(room.dx, x, p),
        }
    }
}

/// The chain's value for each element of `x`, of any [`Element`] type.
///
/// # Errors
/// [`Error::EmptyChain`], and [`Error::BadValue`] for a parameter that is not finite.
///
/// ```
/// let y = nonlin::reference::forward(&"silu | scale(2)".parse()?, &[1.0])?;
/// assert!((y[0] - 1.4621171572600097).abs() < 1e-15);
/// # Ok::<(), nonlin::Error>(())
/// ```
pub fn forward<X: Element>(chain: &Chain, x: &[X]) -> Result<Vec<f64>, Error> {
    let steps = Step64::of(chain)?;
    let y = |x: &X| {
        steps
            .iter()
            .fold(f64::from(x.to_f32()), |v, step| step.y(v))
    };
    Ok(x.iter().map(y).collect())
}

/// The gradient with respect to `x`, given that with respect to the chain's value, `dy`.
///
/// # Errors
/// As [`forward`], and [`Error::LengthMismatch`] where `x` and `dy` differ in length.
pub fn backward<X: Element, G: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
) -> Result<Vec<f64>, Error> {
    let steps = Step64::of(chain)?;
    crate::error::same_length("x", x.len() as u64, "dy", dy.len() as u64)?;
    let gradient = |(x, dy): (&X, &G)| {
        let (mut v, mut gradient) = (f64::from(x.to_f32()), f64::from(dy.to_f32()));
        for step in &steps {
            gradient *= step.dx(v);
            v = step.y(v);
        }
        gradient
    };
    Ok(x.iter().zip(dy).map(gradient).collect())
}
