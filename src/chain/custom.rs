//! Activations of the user's own, from WGSL text.

use crate::{Activation, Error};
use std::sync::Arc;

/// A function of x and the parameters.
pub(crate) type Function64 = Box<dyn Fn(f64, &[f64]) -> f64 + Send + Sync>;

/// An activation of the user's own: WGSL functions for the value and its derivative, written as the
/// built-in ones are. Clones share it.
///
/// The text has `act_<name>` and `act_<name>_dx`, of f32: x, then the parameters by name. For a parameter that
/// is to be learned it also has `act_<name>_d_<parameter>`, the value's derivative with respect to it.
/// Whatever else it declares has names that begin with `<name>_`. It may use the library's functions:
/// `//#use math/exp.wgsl` brings in a file of `shaders/`.
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
    reference: Option<Arc<[Function64; 2]>>,
    budget: f64,
}

#[derive(Debug, PartialEq)]
struct Definition {
    name: String,
    parameters: Vec<(String, f32)>,
    wgsl: String,
}

/// Beginnings of names that the kernels use themselves.
const RESERVED: [&str; 7] = ["m", "act", "chain", "arg", "f32", "f16", "bf16"];

impl Custom {
    /// An activation with these parameters and their defaults.
    ///
    /// # Errors
    /// [`Error::BadActivation`] where the name is taken or is none, where the text is not valid WGSL (with
    /// naga's message and the line), lacks a function, or declares other names.
    pub fn new(name: &str, parameters: &[(&str, f32)], wgsl: &str) -> Result<Self, Error> {
        let bad = |message: String| Error::BadActivation {
            name: name.to_owned(),
            message,
        };
        let known = crate::chain::known_steps().contains(&name)
            || Activation::by_name(name).is_some()
            || RESERVED.contains(&name);
        if known {
            return Err(bad("the name is taken".into()));
        }
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        for name in std::iter::once(name).chain(parameters.iter().map(|(p, _)| *p)) {
            if !is_name(name) {
                let message = format!(
                    "\"{name}\" is no name; it takes letters, digits and underscores, a letter first"
                );
                return Err(bad(message));
            }
        }
        if let Some((parameter, value)) = parameters.iter().find(|(_, value)| !value.is_finite()) {
            return Err(bad(format!(
                "the default of {parameter} is {value}, which is not finite"
            )));
        }
        let (own, files) = crate::wgsl::standing_alone(wgsl).map_err(bad)?;
        let (module, library) = (parsed(name, &own, &files)?, parsed(name, "", &files)?);

        let expected: Vec<_> = std::iter::once("x")
            .chain(parameters.iter().map(|(p, _)| *p))
            .collect();
        for function in [format!("act_{name}"), format!("act_{name}_dx")] {
            let mut functions = module.functions.iter().map(|(_, f)| f);
            let found = functions.find(|f| f.name.as_ref() == Some(&function));
            let found = found.ok_or_else(|| bad(format!("the text has no fn {function}")))?;
            let is_f32 = |ty| module.types[ty].inner == naga::TypeInner::Scalar(naga::Scalar::F32);
            let names: Vec<_> = found
                .arguments
                .iter()
                .map(|a| a.name.as_deref().unwrap_or(""))
                .collect();
            let all_f32 = found.arguments.iter().all(|a| is_f32(a.ty))
                && found.result.as_ref().is_some_and(|r| is_f32(r.ty));
            if names != expected || !all_f32 {
                let arguments: Vec<_> = expected.iter().map(|a| format!("{a}: f32")).collect();
                return Err(bad(format!(
                    "it must be fn {function}({}) -> f32",
                    arguments.join(", ")
                )));
            }
        }
        if !module.entry_points.is_empty() || !module.overrides.is_empty() {
            return Err(bad("entry points and overrides have no place in it".into()));
        }
        if !module.global_variables.is_empty() {
            return Err(bad("variables at module scope have no place in it".into()));
        }
        let library = globals(&library);
        let prefixes = [format!("{name}_"), format!("act_{name}_d_")];
        let functions = [format!("act_{name}"), format!("act_{name}_dx")];
        let ours = |global: &String| {
            functions.contains(global)
                || prefixes.iter().any(|prefix| global.starts_with(prefix))
                || library.contains(global)
        };
        if let Some(global) = globals(&module).iter().find(|global| !ours(global)) {
            return Err(bad(format!(
                "{global} must be called {name}_{global}, so that no names clash"
            )));
        }
        let parameters = parameters.iter().map(|(p, v)| ((*p).to_owned(), *v));
        Ok(Custom {
            definition: Arc::new(Definition {
                name: name.to_owned(),
                parameters: parameters.collect(),
                wgsl: wgsl.to_owned(),
            }),
            reference: None,
            budget: 4.0,
        })
    }

    /// The same activation with its definition in f64, value and derivative, each a function of x and
    /// the parameters in order: what [`reference`](mod@crate::reference) and [`check`](crate::check) need.
    #[must_use]
    pub fn with_reference(
        self,
        y: impl Fn(f64, &[f64]) -> f64 + Send + Sync + 'static,
        dx: impl Fn(f64, &[f64]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        let functions: [Function64; 2] = [Box::new(y), Box::new(dx)];
        Custom {
            reference: Some(Arc::new(functions)),
            ..self
        }
    }

    /// The same activation with another error allowed to its value and derivative than 4 ULP.
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

    /// The error allowed to the value and the derivative, in ULP.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    pub(crate) fn defaults(&self) -> impl Iterator<Item = f32> {
        self.definition.parameters.iter().map(|(_, value)| *value)
    }

    /// Whether the text has the value's derivative with respect to a parameter.
    pub(crate) fn has_gradient(&self, parameter: &str) -> bool {
        self.wgsl()
            .contains(&format!("fn act_{}_d_{parameter}(", self.name()))
    }

    /// The value and the derivative in f64.
    pub(crate) fn reference(&self) -> Result<Arc<[Function64; 2]>, Error> {
        self.reference.clone().ok_or_else(|| Error::NoReference {
            name: self.name().to_owned(),
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

/// Parses and validates text with what it uses behind it, so that lines are those of the text.
fn parsed(name: &str, own: &str, files: &str) -> Result<naga::Module, Error> {
    let source = format!("{own}\n{files}");
    let path = format!("{name}.wgsl");
    let bad = |message: String| Error::BadActivation {
        name: name.to_owned(),
        message: message.trim().to_owned(),
    };
    let module = naga::front::wgsl::parse_str(&source)
        .map_err(|e| bad(e.emit_to_string_with_path(&source, &path)))?;
    let flags = naga::valid::ValidationFlags::all();
    naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
        .validate(&module)
        .map_err(|e| bad(e.emit_to_string_with_path(&source, &path)))?;
    Ok(module)
}

/// The names that a module declares.
fn globals(module: &naga::Module) -> Vec<String> {
    let functions = module.functions.iter().filter_map(|(_, f)| f.name.clone());
    let constants = module.constants.iter().filter_map(|(_, c)| c.name.clone());
    let types = module.types.iter().filter_map(|(_, t)| t.name.clone());
    functions.chain(constants).chain(types).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn act_hill(x: f32, w: f32) -> f32 {
    return hill_half(x * w);
}
fn act_hill_dx(x: f32, w: f32) -> f32 {
    return 0.5 * w;
}
fn hill_half(x: f32) -> f32 {
    return 0.5 * x;
}
";

    fn mistake(name: &str, text: &str) -> String {
        Custom::new(name, &[("w", 1.0)], text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn mistakes_are_told() {
        assert!(Custom::new("hill", &[("w", 1.0)], TEXT).is_ok());
        assert_eq!(mistake("gelu", TEXT), "activation gelu: the name is taken");
        assert_eq!(
            mistake("hard_swish", TEXT),
            "activation hard_swish: the name is taken"
        );
        assert!(mistake("2nd", TEXT).contains("\"2nd\" is no name"));
        assert_eq!(
            mistake("hill", &TEXT.replace("act_hill_dx", "hill_dx")),
            "activation hill: the text has no fn act_hill_dx"
        );
        assert_eq!(
            mistake(
                "hill",
                &TEXT
                    .replace("(x: f32, w: f32)", "(x: f32, v: f32)")
                    .replace("* w", "* v")
            ),
            "activation hill: it must be fn act_hill(x: f32, w: f32) -> f32"
        );
        assert_eq!(
            mistake("hill", &TEXT.replace("hill_half", "m_exp")),
            "activation hill: m_exp must be called hill_m_exp, so that no names clash"
        );
        let variable = format!("{TEXT}var<private> hill_sum: f32;");
        assert!(mistake("hill", &variable).contains("variables at module scope"));
        let unknown = format!("//#use math/sin.wgsl\n{TEXT}");
        assert!(mistake("hill", &unknown).contains("there is no math/sin.wgsl"));
    }

    #[test]
    fn a_mistake_in_wgsl_comes_with_its_line() {
        let wrong = format!(
            "//#use math/exp.wgsl\nfn m_exp(x: f32) -> f32 {{ return x; }} //#stub\n{}",
            TEXT.replace("0.5 * w", "0.5 * u")
        );
        let message = mistake("hill", &wrong);
        assert!(message.contains("hill.wgsl:7:18"), "{message}");
        assert!(message.contains("return 0.5 * u;"), "{message}");
    }

    #[test]
    fn without_a_reference_nothing_is_compared() {
        let hill = Custom::new("hill", &[("w", 1.0)], TEXT).unwrap();
        let chain = crate::Chain::new().step(hill);
        let error = crate::reference::forward(&chain, &[1.0]).unwrap_err();
        assert_eq!(
            error,
            Error::NoReference {
                name: "hill".into()
            }
        );
    }
}
