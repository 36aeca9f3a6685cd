//! Activations of the user's own: is their text as it must be?

use super::files::standing_alone;
use crate::act::Activation;
use crate::chain::custom::Custom;
use crate::chain::text::known_steps;
use crate::error::{ChainError, Error};

/// Beginnings of names that the kernels use themselves.
const RESERVED: [&str; 16] = [
    "m", "act", "chain", "arg", "f32", "f16", "bf16", "at", "bits", "word", "four", "pairs", "put",
    "lane", "all", "end",
];

impl Custom {
    /// An activation with these parameters and their defaults.
    ///
    /// # Errors
    /// [`ChainError::BadActivation`] where the name is taken or is none, where the text is not valid WGSL (with
    /// naga's message and the line), lacks a function, or declares other names.
    pub fn new(name: &str, parameters: &[(&str, f32)], wgsl: &str) -> Result<Self, Error> {
        let bad = |message: String| {
            Error::Chain(ChainError::BadActivation {
                name: name.to_owned(),
                message,
            })
        };
        check_names(name, parameters).map_err(bad)?;
        let (own, files) = standing_alone(wgsl).map_err(bad)?;
        let (module, library) = (parsed(name, &own, &files)?, parsed(name, "", &files)?);
        for function in [format!("act_{name}"), format!("act_{name}_dx")] {
            check_function(&function, parameters, &module.module).map_err(bad)?;
        }
        let declared = globals(&module.module);
        // Kernels call them as they call the others.
        let learned = parameters.iter().map(|(p, _)| format!("act_{name}_d_{p}"));
        let optional = learned.chain([format!("act_{name}_d2x")]);
        for function in optional.filter(|function| declared.contains(function)) {
            check_function(&function, parameters, &module.module).map_err(bad)?;
        }
        check_globals(name, &module.module, &globals(&library.module)).map_err(bad)?;
        Ok(Custom::of_valid(name, parameters, wgsl))
    }
}

/// Refuses names that are taken or are none, and defaults that are not finite.
pub(super) fn check_names(name: &str, parameters: &[(&str, f32)]) -> Result<(), String> {
    let known = known_steps().contains(&name)
        || Activation::by_name(name).is_some()
        || RESERVED.contains(&name);
    if known {
        return Err("the name is taken".into());
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    for name in std::iter::once(name).chain(parameters.iter().map(|(p, _)| *p)) {
        if !is_name(name) {
            return Err(format!(
                "\"{name}\" is no name; it takes letters, digits and underscores, a letter first"
            ));
        }
    }
    match parameters.iter().find(|(_, value)| !value.is_finite()) {
        Some((parameter, value)) => Err(format!(
            "the default of {parameter} is {value}, which is not finite"
        )),
        None => Ok(()),
    }
}

/// Refuses a text without a function of x and these parameters.
pub(super) fn check_function(
    function: &str,
    parameters: &[(&str, f32)],
    module: &naga::Module,
) -> Result<(), String> {
    let expected: Vec<_> = std::iter::once("x")
        .chain(parameters.iter().map(|(p, _)| *p))
        .collect();
    let mut functions = module.functions.iter().map(|(_, f)| f);
    let found = functions.find(|f| f.name.as_deref() == Some(function));
    let found = found.ok_or_else(|| format!("the text has no fn {function}"))?;
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
        let arguments = arguments.join(", ");
        return Err(format!("it must be fn {function}({arguments}) -> f32"));
    }
    Ok(())
}

/// Refuses what has no place in a kernel, and names that could clash with other activations' or the library's.
pub(super) fn check_globals(
    name: &str,
    module: &naga::Module,
    library: &[String],
) -> Result<(), String> {
    if !module.entry_points.is_empty() || !module.overrides.is_empty() {
        return Err("entry points and overrides have no place in it".into());
    }
    if !module.global_variables.is_empty() {
        return Err("variables at module scope have no place in it".into());
    }
    let prefixes = [format!("{name}_"), format!("act_{name}_d_")];
    let functions = ["", "_dx", "_d2x"].map(|end| format!("act_{name}{end}"));
    let ours = |global: &String| {
        functions.contains(global)
            || prefixes.iter().any(|prefix| global.starts_with(prefix))
            || library.contains(global)
    };
    match globals(module).iter().find(|global| !ours(global)) {
        Some(global) => Err(format!(
            "{global} must be called {name}_{global}, so that no names clash"
        )),
        None => Ok(()),
    }
}

/// A text as naga has it.
pub(super) struct Parsed {
    pub(super) module: naga::Module,
    pub(super) info: naga::valid::ModuleInfo,
}

/// Parses and validates text with what it uses behind it, so that lines are those of the text.
pub(super) fn parsed(name: &str, own: &str, files: &str) -> Result<Parsed, Error> {
    let source = format!("{own}\n{files}");
    let path = format!("{name}.wgsl");
    let bad = |message: String| {
        Error::Chain(ChainError::BadActivation {
            name: name.to_owned(),
            message: message.trim().to_owned(),
        })
    };
    let module = naga::front::wgsl::parse_str(&source)
        .map_err(|e| bad(e.emit_to_string_with_path(&source, &path)))?;
    let flags = naga::valid::ValidationFlags::all();
    let info = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
        .validate(&module)
        .map_err(|e| bad(e.emit_to_string_with_path(&source, &path)))?;
    Ok(Parsed { module, info })
}

/// The names that a module declares.
pub(super) fn globals(module: &naga::Module) -> Vec<String> {
    let functions = module.functions.iter().filter_map(|(_, f)| f.name.clone());
    let constants = module.constants.iter().filter_map(|(_, c)| c.name.clone());
    let types = module.types.iter().filter_map(|(_, t)| t.name.clone());
    let all = functions.chain(constants).chain(types);
    // What a built-in function gives is a type of naga's, whose name no text can have.
    all.filter(|name| !name.starts_with("__")).collect()
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
        let other = format!("{TEXT}fn act_hill_d_w(x: f32) -> f32 {{ return x; }}");
        assert!(
            mistake("hill", &other).contains("it must be fn act_hill_d_w(x: f32, w: f32) -> f32")
        );
        let unknown = format!("//#use math/cos.wgsl\n{TEXT}");
        assert!(mistake("hill", &unknown).contains("there is no math/cos.wgsl"));
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
        let chain = crate::chain::Chain::new().step(hill);
        let error = crate::reference::forward(&chain, &[1.0]).unwrap_err();
        assert_eq!(
            error,
            Error::Chain(ChainError::NoReference {
                name: "hill".into()
            })
        );
    }
}
