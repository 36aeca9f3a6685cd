//! What a chain needs beside x and dy where its arguments are operands: their values as slices.

use super::dtype::{DType, Element};
use super::layout::{Broadcast, Layout};
use crate::error::{Error, OperandError};
use crate::pass::Pass;

/// The values of a chain's operands, how x is laid out, and the seed of its random steps, for the doors
/// that take slices.
///
/// ```
/// use nonlin::{Layout, Values, reference};
///
/// // Two samples of two channels of one element: a slope for each channel.
/// let values = Values::new()
///     .arg("w", &[0.5f32, 0.25])
///     .layout(Layout { outer: 2, channels: 2, inner: 1 });
/// let chain = "prelu(weight=@w)".parse()?;
/// let y = reference::forward_with(&chain, &[-1.0, -1.0, 3.0, -2.0], &values)?;
/// assert_eq!(y, [-0.5, -0.25, 3.0, -0.5]);
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Values {
    pub(crate) args: Vec<Value>,
    pub(crate) layout: Option<Layout>,
    pub(crate) random: [u64; 2],
    pub(crate) queries: Option<u64>,
    pub(crate) broadcasts: Vec<(String, Broadcast)>,
}

/// One operand's values.
#[cfg_attr(
    not(feature = "wgpu"),
    expect(dead_code, reason = "what the door for slices uploads")
)]
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    /// As they are stored.
    pub(crate) bytes: Vec<u8>,
    pub(crate) values: Vec<f32>,
}

impl Values {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// The values of the operand `@name`: one for all elements; one for each channel, or each sample and
    /// channel, of the [`layout`](Self::layout); or one for each element.
    #[must_use]
    pub fn arg<T: Element>(mut self, name: &str, values: &[T]) -> Self {
        self.args.push(Value {
            name: name.to_owned(),
            dtype: T::DTYPE,
            bytes: bytemuck::cast_slice(values).to_vec(),
            values: values.iter().map(|v| v.to_f32()).collect(),
        });
        self
    }

    /// How x's elements are grouped.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// How the values of an operand are spread over x ([`Operands::broadcast`](crate::Operands::broadcast)).
    #[must_use]
    pub fn broadcast(mut self, name: &str, broadcast: Broadcast) -> Self {
        self.broadcasts.push((name.to_owned(), broadcast));
        self
    }

    /// Rows of a matrix ([`Operands::queries`](crate::Operands::queries)).
    #[must_use]
    pub fn queries(mut self, rows: u64) -> Self {
        self.queries = Some(rows);
        self
    }

    /// What random steps draw ([`Operands::random`](crate::Operands::random)).
    #[must_use]
    pub fn random(mut self, seed: u64, offset: u64) -> Self {
        self.random = [seed, offset];
        self
    }

    /// The values of a chain's operands, which are `known`, in their order, each with the way from an element to its
    /// value. The pass is named where one is missing.
    pub(crate) fn of(
        &self,
        known: &[&str],
        layout: Layout,
        pass: Pass,
        len: u64,
    ) -> Result<Vec<(&Value, Broadcast)>, Error> {
        layout.check("x", len)?;
        for (index, Value { name, .. }) in self.args.iter().enumerate() {
            let operand = name.clone();
            if !known.contains(&name.as_str()) {
                return Err(Error::Operand(OperandError::Unexpected { pass, operand }));
            }
            if self.args[..index].iter().any(|other| other.name == *name) {
                return Err(Error::Operand(OperandError::GivenTwice { operand }));
            }
        }
        known
            .iter()
            .map(|name| {
                let value = self.args.iter().find(|value| value.name == *name);
                let value = value.ok_or_else(|| {
                    Error::Operand(OperandError::Missing {
                        pass,
                        operand: format!("@{name}"),
                    })
                })?;
                let given = self.broadcasts.iter().find(|(known, _)| known == name);
                let given = given.map(|(_, broadcast)| *broadcast);
                let whose = layout.whose(name, value.values.len() as u64, len, given)?;
                Ok((value, layout.spread(whose, len)))
            })
            .collect()
    }
}
