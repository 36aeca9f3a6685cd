//! Activations of the user's own, from WGSL text.

use crate::error::{ChainError, Error};
use std::sync::Arc;

/// A function of x and the parameters.
pub(crate) type Function64 = Box<dyn Fn(f64, &[f64]) -> f64 + Send + Sync>;

/// The definition in f64.
pub(crate) struct Reference {
    pub(crate) y: Function64,
    pub(crate) dx: Function64,
    /// The second derivative, if it is known.
    pub(crate) d2x: Option<Function64>,
    /// The value's derivative with respect to each parameter; empty where nobody gave any.
    pub(crate) shares: Vec<Function64>,
}

/// An activation of the user's own: WGSL functions for the value and its derivative, written as the
/// built-in ones are. Clones share it.
///
/// The text has `act_<name>` and `act_<name>_dx`, of f32: x, then the parameters by name. For a parameter that
/// is to be learned it also has `act_<name>_d_<parameter>`, the value's derivative with respect to it; and for double
/// backward `act_<name>_d2x`, the second derivative.
/// Whatever else it declares has names that begin with `<name>_`. It may use the library's functions:
/// `//#use math/exp.wgsl` brings in a file of `shaders/`. Of [`Custom::from_value`] the value alone is enough.
///
/// ```
/// use nonlin::{Chain, Custom, reference};
///
/// let hill = Custom::new("hill", &[("width", 1.0)], "
///     fn act_hill(x: f32, width: f32) -> f32 { return 1.0 / (1.0 + x * x * width); }
///     fn act_hill_dx(x: f32, width: f32) -> f32 {
///         let y = act_hill(x, width);
///         return -2.0 * x * width * y * y;
///     }
/// ")?
/// .with_reference(
///     |x, p| 1.0 / (1.0 + x * x * p[0]),
///     |x, p| -2.0 * x * p[0] / (1.0 + x * x * p[0]).powi(2),
/// );
/// let chain = Chain::parse_with("scale(2) | hill(width=0.5)", &[hill])?;
/// assert_eq!(reference::forward(&chain, &[1.0])?, [1.0 / 3.0]);
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone)]
pub struct Custom {
    definition: Arc<Definition>,
    reference: Option<Arc<Reference>>,
    /// Whether the reference is made of the text.
    shares_formula: bool,
    budget: f64,
}

#[derive(Debug, PartialEq)]
struct Definition {
    name: String,
    parameters: Vec<(String, f32)>,
    wgsl: String,
}

impl Custom {
    /// An activation of a text that was found to be as it must be: `Custom::new`, which validates it, is where WGSL is
    /// known (wgsl/custom.rs).
    pub(crate) fn of_valid(name: &str, parameters: &[(&str, f32)], wgsl: &str) -> Self {
        let parameters = parameters.iter().map(|(p, v)| ((*p).to_owned(), *v));
        Custom {
            definition: Arc::new(Definition {
                name: name.to_owned(),
                parameters: parameters.collect(),
                wgsl: wgsl.to_owned(),
            }),
            reference: None,
            shares_formula: false,
            budget: 4.0,
        }
    }

    /// The same activation with a reference that is made of its text, and no error that it is promised to keep to.
    pub(crate) fn with_derived(self, reference: Reference) -> Self {
        Custom {
            reference: Some(Arc::new(reference)),
            shares_formula: true,
            budget: f64::INFINITY,
            ..self
        }
    }

    /// The same activation with its definition in f64, value and derivative, each a function of x and
    /// the parameters in order: what [`reference`](mod@crate::reference) and [`check`](crate::check) need.
    #[must_use]
    pub fn with_reference(
        self,
        y: impl Fn(f64, &[f64]) -> f64 + Send + Sync + 'static,
        dx: impl Fn(f64, &[f64]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Custom {
            reference: Some(Arc::new(Reference {
                y: Box::new(y),
                dx: Box::new(dx),
                d2x: None,
                shares: Vec::new(),
            })),
            shares_formula: false,
            ..self
        }
    }

    /// The same activation with its definition in f64, as [`with_reference`](Self::with_reference), and the second derivative.
    #[must_use]
    pub fn with_second_reference(
        self,
        y: impl Fn(f64, &[f64]) -> f64 + Send + Sync + 'static,
        dx: impl Fn(f64, &[f64]) -> f64 + Send + Sync + 'static,
        d2x: impl Fn(f64, &[f64]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Custom {
            reference: Some(Arc::new(Reference {
                y: Box::new(y),
                dx: Box::new(dx),
                d2x: Some(Box::new(d2x)),
                shares: Vec::new(),
            })),
            shares_formula: false,
            ..self
        }
    }

    /// The same activation with another error allowed to its value and derivatives than 4 ULP, or, where they were derived,
    /// than none that is stated.
    #[must_use]
    pub fn with_budget(self, ulp: f64) -> Self {
        Custom {
            budget: ulp,
            ..self
        }
    }

    /// The name, as text chains spell it.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// The parameters' names.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.definition
            .parameters
            .iter()
            .map(|(name, _)| name.as_str())
    }

    /// The WGSL.
    pub fn wgsl(&self) -> &str {
        &self.definition.wgsl
    }

    /// The error allowed to the value and the derivative, in ULP; infinite where none is stated.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// Whether the f64 reference is made of the text, as [`Custom::from_value`] does it: a comparison with it does not find
    /// what is wrong with the formula itself.
    pub fn shares_formula(&self) -> bool {
        self.shares_formula
    }

    pub(crate) fn defaults(&self) -> impl Iterator<Item = f32> {
        self.definition.parameters.iter().map(|(_, value)| *value)
    }

    /// Whether the text has the value's derivative with respect to a parameter.
    pub(crate) fn has_gradient(&self, parameter: &str) -> bool {
        self.has(&format!("d_{parameter}"))
    }

    /// Whether the text has the second derivative.
    pub(crate) fn has_second(&self) -> bool {
        self.has("d2x")
    }

    fn has(&self, derivative: &str) -> bool {
        self.wgsl()
            .contains(&format!("fn act_{}_{derivative}(", self.name()))
    }

    /// The definition in f64.
    pub(crate) fn reference(&self) -> Result<Arc<Reference>, Error> {
        self.reference.clone().ok_or_else(|| {
            Error::Chain(ChainError::NoReference {
                name: self.name().to_owned(),
            })
        })
    }
}

/// The same text; what it is compared with does not matter.
impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.definition == other.definition
    }
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.definition.fmt(f)
    }
}
