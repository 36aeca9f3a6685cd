//! What `nonlin wgsl` and `nonlin check` look at: a chain or a layer, and the shapes of what it works on.

use crate::layers::Known;
use crate::{Failure, Result};
use clap::ValueEnum;
use nonlin::layers::{Images, Order};
use nonlin::{Argument, Chain, Custom, Function, Layout, Step};

/// A chain, or a layer in the place of one.
pub(crate) enum Subject {
    Chain(Chain),
    Layer(&'static Known),
}

impl Subject {
    /// Reads a chain or a layer's name, for a command by its name.
    pub(crate) fn parse(text: &str, command: &str, own: &[Custom]) -> Result<Self> {
        match Known::by_name(text.trim()) {
            Some(known) => Ok(Subject::Layer(known)),
            None => chain(text, command, own).map(Subject::Chain),
        }
    }
}

/// Reads a chain, with activations of the user's own. Layers look like steps, but are none.
pub(crate) fn chain(text: &str, command: &str, own: &[Custom]) -> Result<Chain> {
    Chain::parse_with(text, own).map_err(|error: nonlin::Error| {
        let mut names = text.split('|').map(|step| {
            let name = step.split_once('(').map_or(step, |(name, _)| name);
            name.trim()
        });
        match names.find_map(Known::by_name) {
            None => error.into(),
            Some(Known { name, .. }) => Failure(format!(
                "{name} is a layer: it runs alone, as in nonlin {command} {name}, and takes its settings from --set"
            )),
        }
    })
}

/// What `--shape` says: three lengths for a chain, four for a layer.
#[derive(Clone, Debug)]
pub(crate) struct Lengths(pub(crate) Vec<u64>);

impl Lengths {
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        let numbers: Option<Vec<u64>> = text.split('x').map(|number| number.parse().ok()).collect();
        let numbers = numbers.unwrap_or_default();
        let mut lengths = numbers.iter();
        let all = lengths.try_fold(1u64, |product, n| product.checked_mul(*n));
        let fits = all.is_some_and(|all| (1..=1 << 40).contains(&all));
        if fits && (3..=4).contains(&numbers.len()) {
            return Ok(Lengths(numbers));
        }
        Err(
            "three numbers such as 32x256x2048 are needed, of a layer four, with a product up to 2^40"
                .into(),
        )
    }

    /// Of a chain: samples, channels and elements of each.
    pub(crate) fn layout(&self) -> Result<Layout> {
        match self.0[..] {
            [outer, channels, inner] => Ok(Layout {
                outer,
                channels,
                inner,
            }),
            _ => Err(Failure(format!(
                "--shape: a chain's has three lengths, not {}: samples, channels and elements of each",
                self.0.len()
            ))),
        }
    }

    /// Of a layer: samples, channels, height and width, whatever the order in memory.
    pub(crate) fn images(&self, order: Order) -> Result<Images> {
        match self.0[..] {
            [n, c, h, w] => Ok(match order {
                Order::Nchw => Images::nchw(n, c, h, w),
                Order::Nhwc => Images::nhwc(n, h, w, c),
            }),
            _ => Err(Failure(format!(
                "--shape: a layer's has four lengths, not {}: samples, channels, height and width",
                self.0.len()
            ))),
        }
    }
}

impl std::fmt::Display for Lengths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lengths: Vec<_> = self.0.iter().map(u64::to_string).collect();
        write!(f, "{}", lengths.join("x"))
    }
}

/// Whose the values of a chain's operand are, as the user says it: `w=element`.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    name: String,
    whose: Whose,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whose {
    Shared,
    Channel,
    Sample,
    Element,
}

impl Spread {
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        const NEEDS: &str =
            "a name, = and shared, channel, sample or element are needed, as in w=sample";
        let (name, whose) = text.split_once('=').ok_or(NEEDS)?;
        let whose = Whose::from_str(whose, false).map_err(|_| NEEDS)?;
        match name {
            "" => Err(NEEDS),
            name => Ok(Spread {
                name: name.into(),
                whose,
            }),
        }
    }

    /// How many values each of a chain's operands has: as is said, or one for each element of gates and residuals, and one
    /// for each channel of others.
    pub(crate) fn lengths(
        chain: &Chain,
        layout: Layout,
        given: &[Spread],
    ) -> Result<Vec<(String, u64)>> {
        let operands = chain.operands();
        for (index, Spread { name, .. }) in given.iter().enumerate() {
            let problem = if !operands.contains(&name.as_str()) {
                let known = match operands.as_slice() {
                    [] => "it has none".into(),
                    operands => format!("it has {}", operands.join(", ")),
                };
                format!("the chain {chain} has no operand of that name; {known}")
            } else if given[..index].iter().any(|other| other.name == *name) {
                "it is given twice".into()
            } else {
                continue;
            };
            return Err(Failure(format!("--arg {name}: {problem}")));
        }
        let Layout {
            outer,
            channels,
            inner,
        } = layout;
        let length = |name: &str| {
            let given = given.iter().find(|given| given.name == name);
            let whose = match given {
                Some(given) => given.whose,
                _ if is_of_rows(chain, name) => Whose::Shared,
                _ if is_elementwise(chain, name) => Whose::Element,
                None => Whose::Channel,
            };
            match whose {
                Whose::Shared => 1,
                Whose::Channel => channels,
                Whose::Sample => outer * channels,
                Whose::Element => outer * channels * inner,
            }
        };
        let lengths = operands.iter().map(|name| (name.to_string(), length(name)));
        Ok(lengths.collect())
    }
}

/// Whether an operand is the tensor of a gate or residual, or of a branch there.
pub(crate) fn is_elementwise(chain: &Chain, name: &str) -> bool {
    taken(chain).into_iter().any(|taken| {
        matches!(taken.step.function(), Function::Gate | Function::Residual) && taken.name == name
    })
}

/// Whether an operand is that of a step over whole rows, which has a value for each row at most.
pub(crate) fn is_of_rows(chain: &Chain, name: &str) -> bool {
    let mut all = taken(chain).into_iter();
    all.any(|taken| matches!(taken.step.function(), Function::Row(_)) && taken.name == name)
}

/// An argument that comes from an operand.
pub(crate) struct Taken<'a> {
    pub(crate) step: &'a Step,
    /// The parameter, by index.
    pub(crate) parameter: usize,
    pub(crate) name: &'a str,
    /// Whether a branch makes something of the operand first.
    pub(crate) has_steps: bool,
}

/// All arguments that come from operands, those in branches too.
pub(crate) fn taken(chain: &Chain) -> Vec<Taken<'_>> {
    let mut all = Vec::new();
    for step in chain.steps() {
        for (parameter, argument) in step.arguments().iter().enumerate() {
            let (name, inner) = match argument {
                Argument::Operand(name) => (name.as_str(), None),
                Argument::Branch(branch) => (branch.operand(), Some(branch.chain())),
                _ => continue,
            };
            all.push(Taken {
                step,
                parameter,
                name,
                has_steps: inner.is_some(),
            });
            all.extend(inner.into_iter().flat_map(taken));
        }
    }
    all
}

/// Refuses the first option that was given and says nothing of the subject.
pub(crate) fn refuse(options: &[(&str, bool)], why: &str) -> Result<()> {
    match options.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure(format!("{option} {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let images = |text, order| Lengths::parse(text).unwrap().images(order).map_err(|f| f.0);
        assert_eq!(
            images("2x3x4x5", Order::Nhwc).unwrap().shape(),
            [2, 4, 5, 3]
        );
        assert_eq!(
            images("2x3x4x5", Order::Nchw).unwrap().shape(),
            [2, 3, 4, 5]
        );
        let wrong = images("2x3x4", Order::Nchw).unwrap_err();
        assert!(wrong.contains("four lengths, not 3"), "{wrong}");
        let wrong = Lengths::parse("2x3x4x5").unwrap().layout().unwrap_err().0;
        assert!(wrong.contains("three lengths, not 4"), "{wrong}");
        for text in [
            "",
            "3x4",
            "1x2x3x4x5",
            "0x1x1",
            "axbxc",
            "1048576x1048576x2",
        ] {
            assert!(Lengths::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn operands_have_lengths() {
        let layout = Lengths::parse("2x3x4").unwrap().layout().unwrap();
        let lengths = |chain: &str, given: &[&str]| {
            let given = given.iter().map(|text| Spread::parse(text).unwrap());
            let given: Vec<_> = given.collect();
            let lengths = Spread::lengths(&chain.parse().unwrap(), layout, &given);
            let lengths = lengths.map_err(|f| f.0)?;
            Ok::<_, String>(lengths.into_iter().map(|(_, len)| len).collect::<Vec<_>>())
        };
        let chain = "scale(@s) | bias(@b) | prelu(weight=@w) | gate(@g)";
        assert_eq!(lengths(chain, &[]), Ok(vec![3, 3, 3, 24]));
        let given = ["w=element", "s=shared", "b=sample"];
        assert_eq!(lengths(chain, &given), Ok(vec![1, 6, 24, 24]));
        for (given, message) in [
            (
                &["v=shared"][..],
                "--arg v: the chain scale(@s) has no operand of that name; it has s",
            ),
            (&["s=shared", "s=shared"], "--arg s: it is given twice"),
        ] {
            assert_eq!(lengths("scale(@s)", given), Err(message.into()));
        }
        let branches = "gate(@g | scale(@s)) | residual(@r | relu)";
        assert_eq!(lengths(branches, &["g=sample"]), Ok(vec![6, 3, 24]));
        for text in ["", "w", "w=", "=shared", "w=row"] {
            assert!(Spread::parse(text).is_err(), "{text}");
        }
    }
}
