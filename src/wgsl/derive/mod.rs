//! Activations whose text has the value alone: the derivatives are derived, and the reference with them.
//!
//! The value's function goes from naga's IR to a graph (trace.rs). A derivative is a graph beside it (tangent.rs), which is
//! written as WGSL (write.rs). In f64 the value's graph is evaluated with dual numbers (dual.rs), so that text and reference
//! share the formula, and the rules for derivatives stand in two places that tests compare.

mod builtins;
mod dual;
mod expressions;
mod graph;
mod marks;
mod rules;
mod tangent;
mod trace;
mod write;

use super::custom::{Parsed, check_function, check_globals, check_names, globals, parsed};
use super::files::standing_alone;
use crate::chain::custom::{Custom, Function64, Reference};
use crate::error::{ChainError, Error};
use dual::{Dual, Program};
use marks::Marks;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tangent::Tangents;
use trace::{Book, Refusal};
use write::Written;

impl Custom {
    /// An activation of its value's text alone: `act_<name>` and what it calls. The derivatives with respect to x and to each
    /// parameter are derived and stand in [`wgsl`](Self::wgsl) behind the text, as functions that a person can read; those
    /// that the text has are kept.
    ///
    /// Parameters and their names are those of `act_<name>` behind x. A line `//#default width = 1.0` gives each its
    /// default. The rest is as in [`Custom::new`].
    ///
    /// The text may have helper functions, `let`, `var`, `if`, `switch`, loops that turn a fixed number of times, vectors,
    /// structs, arrays, and the built-in functions of floats, but for `frexp`, `quantizeToF16` and those of matrices. Drivers
    /// compute some of these with errors of thousands of ULP (`exp`, `log`, `pow`, `tanh`, sines): nothing is refused for
    /// that, and a derivative calls what the value calls. The library's own functions are accurate, and bring their
    /// derivatives with them: `//#use math/sigmoid.wgsl`, say, has `m_times_sigmoid`. Those that are derivatives
    /// themselves are refused.
    ///
    /// At kinks the derivative is what PyTorch's autograd has for the same operation:
    ///
    /// | | derivative |
    /// |---|---|
    /// | `abs`, `length`, `distance` | 0 at 0 |
    /// | `max`, `min` | half of each side's where both are alike (`torch.maximum`) |
    /// | `clamp`, `saturate` | 0 on bounds that are numbers; on one that is computed, half of x's and half of the bound's (`torch.clamp`, which has these two cases) |
    /// | `floor`, `ceil`, `round`, `trunc`, `sign`, `step` | 0 |
    /// | `fract` | 1 |
    /// | `a % b` | 1, and minus the whole part of a / b (`torch.fmod`) |
    /// | `pow(a, b)` | 0 with respect to a where b is 0, and to b where a is 0 and b is not below |
    /// | `if`, `select`, `switch` | that of the side that is taken |
    ///
    /// An infinite x has the derivative of the largest number, and where a slope is zero nothing passes, not even what is
    /// infinite. Where a value within the formula leaves the range of f32 earlier than the result does, the derivative may
    /// be wrong or NaN as that of autograd is: [`check`](crate::check) tells.
    ///
    /// The f64 reference is the same formula, evaluated with dual numbers, numbers in the text being those of f32: it tells
    /// what rounding and drivers do, and not whether the formula is the one that was meant. [`Custom::with_reference`] puts
    /// another in its place. There is no error that it is promised to keep to, until [`Custom::with_budget`] gives one: a
    /// comparison then tells the error and fails only where a result is NaN and the reference is not.
    ///
    /// # Errors
    /// As [`Custom::new`], and [`ChainError::NoDerivative`] with line and column for what has no derivative: bits of floats,
    /// whole numbers made of them, and what is not taken: matrices, pointers, loops whose end depends on the input.
    ///
    /// ```
    /// use nonlin::{Chain, Custom, reference};
    ///
    /// let hill = Custom::from_value("hill", "
    ///     //#default width = 1.0
    ///     fn act_hill(x: f32, width: f32) -> f32 {
    ///         return 1.0 / (1.0 + x * x * width);
    ///     }
    /// ")?;
    /// assert!(hill.wgsl().contains("fn act_hill_dx(x: f32, width: f32) -> f32"));
    /// let chain = Chain::parse_with("scale(2) | hill(width=@w)", &[hill])?;
    /// assert_eq!(chain.learnable(), ["w"]);
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    pub fn from_value(name: &str, wgsl: &str) -> Result<Self, Error> {
        let bad = |message: String| {
            Error::Chain(ChainError::BadActivation {
                name: name.to_owned(),
                message,
            })
        };
        let marks = Marks::read(wgsl).map_err(bad)?;
        check_names(name, &[]).map_err(bad)?;
        let (own, files) = standing_alone(&marks.text).map_err(bad)?;
        let (module, library) = (parsed(name, &own, &files)?, parsed(name, "", &files)?);
        let parameters = marks.parameters(name, &module.module).map_err(bad)?;
        let named: Vec<(&str, f32)> = parameters.iter().map(|(p, v)| (p.as_str(), *v)).collect();
        check_names(name, &named).map_err(bad)?;
        check_function(&format!("act_{name}"), &named, &module.module).map_err(bad)?;
        check_globals(name, &module.module, &globals(&library.module)).map_err(bad)?;
        let value = format!("act_{name}");
        let derived = Derived::new(&value, &module, own.len())
            .map_err(|refusal| refused(name, &format!("{own}\n{files}"), &refusal))?;
        let gradient = |(parameter, called): (usize, &String)| match parameter {
            0 => format!("{value}_dx"),
            _ => format!("{value}_d_{called}"),
        };
        let called = derived.parameters().iter().enumerate();
        let gradients: Vec<_> = called.map(gradient).collect();
        let text = derived.text(name, &marks.text, &module, (&gradients, "value"));
        let second = Derived::second(name, &text)?;
        let text = second.as_ref().map_or(text.as_str(), |(text, _)| text);
        let custom = Custom::new(name, &named, text).map_err(|error| match error {
            Error::Chain(ChainError::BadActivation { message, .. }) => {
                bad(format!("what was derived is not valid: {message}"))
            }
            error => error,
        })?;
        let d2x = second.map(|(_, derived)| derived.along(Some(0)));
        Ok(custom.with_derived(Reference {
            d2x,
            ..derived.reference()
        }))
    }
}

/// As [`Custom::from_value`], the name being that of the text's one function `act_<name>`.
impl std::str::FromStr for Custom {
    type Err = Error;

    fn from_str(wgsl: &str) -> Result<Self, Error> {
        let name = marks::name(wgsl).map_err(|message| {
            Error::Chain(ChainError::BadActivation {
                name: "of the text".into(),
                message,
            })
        })?;
        Custom::from_value(&name, wgsl)
    }
}

/// A refusal as an error. What has no place in the text is told of its beginning.
fn refused(name: &str, source: &str, refusal: &Refusal) -> Error {
    let found = refusal.span.is_defined();
    let place = found.then(|| refusal.span.location(source));
    let (line, column) = place.map_or((1, 1), |place| (place.line_number, place.line_position));
    Error::Chain(ChainError::NoDerivative {
        name: name.to_owned(),
        line,
        column,
        message: refusal.message.clone(),
    })
}

/// A text's functions as graphs, and which of them is the value.
struct Derived {
    program: Arc<Program>,
    value: usize,
}

impl Derived {
    /// With the function of this name as the value.
    fn new(value: &str, module: &Parsed, end: usize) -> Result<Self, Refusal> {
        let mut all = module.module.functions.iter();
        let found = all.find(|(_, function)| function.name.as_deref() == Some(value));
        let Some((handle, _)) = found else {
            return Err(Refusal {
                span: naga::Span::UNDEFINED,
                message: "there is no value".into(),
            });
        };
        let mut book = Book::new(&module.module, &module.info, end);
        let value = book.function(handle, naga::Span::UNDEFINED)?;
        Ok(Derived {
            program: Arc::new(Program {
                functions: book.functions,
            }),
            value,
        })
    }

    /// The derivative read as a value once more: the text with the second derivative, and the derivative's graph. None where
    /// the derivative calls what has no derivative itself.
    fn second(name: &str, text: &str) -> Result<Option<(String, Derived)>, Error> {
        let (own, files) = standing_alone(text).map_err(|message| {
            Error::Chain(ChainError::BadActivation {
                name: name.to_owned(),
                message: format!("what was derived is not valid: {message}"),
            })
        })?;
        let module = parsed(name, &own, &files)?;
        let Ok(derived) = Derived::new(&format!("act_{name}_dx"), &module, own.len()) else {
            return Ok(None);
        };
        let text = derived.text(
            name,
            text,
            &module,
            (&[format!("act_{name}_d2x")], "derivative"),
        );
        Ok(Some((text, derived)))
    }

    /// The value's parameters, x first.
    fn parameters(&self) -> &[String] {
        &self.program.functions[self.value].parameters
    }

    /// The text with what it lacks: the derivatives with respect to the value's first parameters, under these names, and those
    /// of functions that they call; and what the value is, for the comment above them.
    fn text(
        &self,
        name: &str,
        own: &str,
        module: &Parsed,
        (gradients, of): (&[String], &str),
    ) -> String {
        let declared: HashSet<String> = globals(&module.module).into_iter().collect();
        let mut written = Written {
            functions: &self.program.functions,
            name,
            taken: declared.clone(),
            partials: BTreeSet::new(),
            library: BTreeSet::new(),
        };
        let mut tangents = Tangents::new(&self.program.functions);
        let value = &self.program.functions[self.value];
        let mut added = String::new();
        let named = value.parameters.iter().zip(gradients).enumerate();
        for (parameter, (called, function)) in named {
            if declared.contains(function) {
                continue;
            }
            added += &format!("\n// d {} / d {called}\n", value.name);
            added += &match tangents.of(self.value, parameter) {
                Some(partial) => {
                    let (graph, root) = &*partial;
                    written.function(function, &value.parameters, graph, *root, true)
                }
                None => {
                    let mut graph = graph::Graph::default();
                    let zero = graph.float(0.0);
                    written.function(function, &value.parameters, &graph, zero, false)
                }
            };
        }
        let mut done = BTreeSet::new();
        while let Some(next) = written.partials.difference(&done).next().copied() {
            done.insert(next);
            let (function, parameter) = next;
            let Some(partial) = tangents.of(function, parameter) else {
                continue;
            };
            let (own, head) = (
                &self.program.functions[function],
                written.partial(function, parameter),
            );
            let (graph, root) = &*partial;
            added += &format!("\n// d {} / d {}\n", own.name, own.parameters[parameter]);
            added += &written.function(&head, &own.parameters, graph, *root, false);
        }
        if added.is_empty() {
            return own.to_owned();
        }
        let stubs = marks::stubs(own, &written.library);
        format!(
            "{}\n\n// Derived from the {of} above.\n{stubs}{added}",
            own.trim_end()
        )
    }

    /// The value, or its derivative with respect to a parameter, in f64.
    fn along(&self, seed: Option<usize>) -> Function64 {
        let (program, value) = (self.program.clone(), self.value);
        Box::new(move |x, p| {
            let all = std::iter::once(x).chain(p.iter().copied()).enumerate();
            let arguments: Vec<Dual> = all
                .map(|(index, value)| Dual {
                    value,
                    slope: f64::from(seed == Some(index)),
                })
                .collect();
            let dual = program.call(value, &arguments);
            match seed {
                None => dual.value,
                Some(_) => dual.slope,
            }
        })
    }

    fn reference(&self) -> Reference {
        let count = self.parameters().len();
        Reference {
            y: self.along(None),
            dx: self.along(Some(0)),
            d2x: None,
            shares: (1..count)
                .map(|parameter| self.along(Some(parameter)))
                .collect(),
        }
    }
}
