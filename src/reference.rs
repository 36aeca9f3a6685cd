//! The reference: the same chain with the same arguments, in f64 on the CPU, from the mathematical
//! definitions. Nothing of it is shared with the shaders.

pub(crate) mod rows;
mod second;
mod step;

pub use second::{double_backward, double_backward_with};
pub(crate) use step::{Kind64, Step64, at, rounded};

use crate::act::FromY;
use crate::chain::Chain;
use crate::chain::nodes::{Node, Source, path};
use crate::error::{ChainError, Error};
use crate::pass::Pass;
use crate::philox;
use crate::tensor::dtype::Element;
use crate::tensor::layout::Broadcast;
use crate::tensor::values::Value;
use crate::tensor::values::Values;
use rows::Lines;
use std::borrow::Cow;
use std::ops::Range;
use step::{Random, masked};

/// A step, and where its values come from.
pub(crate) struct Node64 {
    pub(crate) step: Step64,
    pub(crate) from: Source64,
    /// Of each parameter that is no constant.
    pub(crate) taken: Vec<(usize, Source64)>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source64 {
    X,
    /// An operand, by index.
    Operand(usize),
    /// A node, by index.
    Node(usize),
}

/// What a gradient goes through at a node on its way back: the derivative with respect to what the step is applied to, or to
/// a parameter, by index and name.
pub(crate) struct Link {
    pub(crate) node: usize,
    pub(crate) parameter: Option<(usize, String)>,
}

impl Link {
    /// What leads from x or an operand to the chain's value.
    fn path(nodes: &[Node<'_>], source: Source<'_>) -> Vec<Link> {
        let links = path(nodes, source).into_iter();
        let link = |(node, parameter): (usize, Option<usize>)| Link {
            node,
            parameter: parameter.map(|p| (p, nodes[node].step.parameters()[p].to_owned())),
        };
        links.map(link).collect()
    }

    /// The factor, and whether one of zero lets nothing pass.
    fn factor(&self, step: &Step64, x: f64, p: &[f64]) -> (f64, bool) {
        match &self.parameter {
            None => (step.slope(x, p), step.is_mask()),
            Some((index, name)) => (step.share(*index, name, x, p), step.is_share_mask(name)),
        }
    }
}

/// A chain with the values of its operands.
pub(crate) struct Eval {
    pub(crate) nodes: Vec<Node64>,
    /// From x to the chain's value.
    pub(crate) path: Vec<Link>,
    values: Vec<(Vec<f32>, Broadcast)>,
    /// Of each operand, whether every element has a use for it.
    counts_everywhere: Vec<bool>,
    random: [u64; 2],
    /// Of a chain with a step over whole rows.
    pub(crate) lines: Option<Lines>,
}

impl Eval {
    /// Whether an error is stated that every step keeps to.
    pub(crate) fn has_budget(&self) -> bool {
        self.nodes.iter().all(|node| node.step.budget().is_finite())
    }

    pub(crate) fn new(
        chain: &Chain,
        pass: Pass,
        len: usize,
        values: &Values,
    ) -> Result<Eval, Error> {
        chain.validate()?;
        let names = chain.operands();
        let layout = chain.laid_out(values.layout, len as u64);
        let given: Vec<(&Value, Broadcast)> = values.of(&names, layout, pass, len as u64)?;
        if let Some(at) = chain
            .row_parameter()
            .and_then(|p| names.iter().position(|n| *n == p))
        {
            let (value, spread) = given[at];
            layout.check_of_rows(names[at], value.values.len() as u64, spread)?;
        }
        let nodes = chain.nodes();
        let draws = chain.draws();
        let source = |source: Source<'_>| match source {
            Source::X => Source64::X,
            Source::Node(index) => Source64::Node(index),
            Source::Operand(name) => {
                let found = names.iter().position(|known| *known == name);
                Source64::Operand(found.unwrap_or_default())
            }
        };
        let node = |(index, node): (usize, &Node<'_>)| {
            let ordinal = draws.iter().position(|draw| *draw == index);
            let taken = node.arguments.iter().enumerate();
            Ok(Node64 {
                step: Step64::new(node, ordinal.unwrap_or_default() as u64)?,
                from: source(node.from),
                taken: taken
                    .filter_map(|(p, s)| Some((p, source((*s)?))))
                    .collect(),
            })
        };
        let counts_everywhere = names.iter().map(|name| chain.counts_everywhere(name));
        let values64 = given
            .into_iter()
            .map(|(value, spread)| (value.values.clone(), spread));
        Ok(Eval {
            nodes: nodes
                .iter()
                .enumerate()
                .map(node)
                .collect::<Result<_, Error>>()?,
            path: Link::path(&nodes, Source::X),
            values: values64.collect(),
            counts_everywhere: counts_everywhere.collect(),
            random: values.random,
            lines: chain
                .row_place()
                .map(|place| Lines::new(place, layout, values.queries)),
        })
    }

    /// A node's parameters at an element; where nodes have values, those of the nodes before.
    pub(crate) fn parameters<'s>(
        &'s self,
        node: &'s Node64,
        element: usize,
        values: &[f64],
    ) -> Cow<'s, [f64]> {
        let Node64 { step, taken, .. } = node;
        if taken.is_empty() && step.random.is_none() {
            return Cow::Borrowed(&step.constants);
        }
        let mut p = step.constants.clone();
        for (parameter, source) in taken {
            p[*parameter] = self.taken(*source, f64::NAN, element, values);
        }
        if let Some(Random {
            ordinal,
            keep,
            bounds: (lower, upper),
        }) = &step.random
        {
            let bits = philox::draw(self.random, *ordinal, element as u64);
            p[0] = match keep {
                Some((below, _)) if f64::from(bits) < *below => 0.0,
                Some((_, kept)) => *kept,
                None => lower + (upper - lower) * f64::from(bits >> 8) * 2f64.powi(-24),
            };
        }
        Cow::Owned(p)
    }

    /// What a source has for an element.
    fn taken(&self, source: Source64, x: f64, element: usize, values: &[f64]) -> f64 {
        match source {
            Source64::X => x,
            Source64::Operand(index) => f64::from(self.operand(index, element)),
            Source64::Node(index) => values.get(index).copied().unwrap_or(f64::NAN),
        }
    }

    /// What an operand has for an element.
    pub(crate) fn operand(&self, index: usize, element: usize) -> f32 {
        let (values, spread) = &self.values[index];
        values[spread.index(element)]
    }

    /// The value of the last of some nodes, one behind the other, of which the first is applied to x.
    fn value_of(&self, part: &Range<usize>, x: f64, element: usize, held: &mut Held) -> f64 {
        let last = self.walk_part(part, x, element, &mut held.values, |_, _, _, _| {});
        last.map_or(x, |(step, from, p)| step.value(from, &p))
    }

    /// Each node's step with what it is applied to and its parameters: told to `see`, and of the last one given back. Values
    /// are evaluated of all nodes but that.
    fn walk_part<'s>(
        &'s self,
        part: &Range<usize>,
        x: f64,
        element: usize,
        values: &mut Vec<f64>,
        mut see: impl FnMut(usize, &Step64, f64, &[f64]),
    ) -> Option<(&'s Step64, f64, Cow<'s, [f64]>)> {
        values.clear();
        values.resize(part.start, x);
        let mut last: Option<(&Step64, f64, Cow<'_, [f64]>)> = None;
        for index in part.clone() {
            if let Some((step, from, p)) = last {
                values.push(step.value(from, &p));
            }
            let node = &self.nodes[index];
            let p = self.parameters(node, element, values);
            let from = self.taken(node.from, x, element, values);
            see(index, &node.step, from, &p);
            last = Some((&node.step, from, p));
        }
        last
    }

    /// The gradient behind the links of a path that are in a part, from that of the part's value.
    fn gradient_of(
        &self,
        part: &Range<usize>,
        path: &[Link],
        [x, dy]: [f64; 2],
        element: usize,
        held: &mut Held,
    ) -> f64 {
        let Held { values, factors } = held;
        factors.clear();
        let links = path.iter().filter(|link| part.contains(&link.node));
        let mut links = links.peekable();
        self.walk_part(part, x, element, values, |index, step, from, p| {
            if let Some(link) = links.next_if(|link| link.node == index) {
                factors.push(link.factor(step, from, p));
            }
        });
        let factors = factors.iter().rev();
        factors.fold(dy, |gradient, (factor, is_mask)| {
            masked(gradient, *factor, *is_mask)
        })
    }

    fn all(&self) -> Range<usize> {
        0..self.nodes.len()
    }

    /// Whether a value that an element takes from an operand is NaN.
    pub(crate) fn takes_nan(&self, element: usize) -> bool {
        let mut values = self.values.iter();
        values.any(|(values, spread)| values[spread.index(element)].is_nan())
    }

    /// The same of operands that every element has a use for.
    pub(crate) fn must_take_nan(&self, element: usize) -> bool {
        let mut values = self.values.iter().zip(&self.counts_everywhere);
        values.any(|((values, spread), counts)| *counts && values[spread.index(element)].is_nan())
    }
}

/// What evaluating an element needs, kept from one to the next.
#[derive(Default)]
pub(crate) struct Held {
    values: Vec<f64>,
    factors: Vec<(f64, bool)>,
}

fn in_f64<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| f64::from(v.to_f32())).collect()
}

/// The chain's value for each element of `x`, of any [`Element`] type.
///
/// # Errors
/// [`ChainError::Empty`], [`ChainError::BadValue`] for a parameter that is not finite, and
/// [`OperandError::Missing`](crate::OperandError::Missing) for a chain with operands, whose values [`forward_with`]
/// takes.
///
/// ```
/// let y = nonlin::reference::forward(&"silu | scale(2)".parse()?, &[1.0])?;
/// assert!((y[0] - 1.4621171572600097).abs() < 1e-15);
/// # Ok::<(), nonlin::Error>(())
/// ```
pub fn forward<X: Element>(chain: &Chain, x: &[X]) -> Result<Vec<f64>, Error> {
    forward_with(chain, x, &Values::new())
}

/// The chain's value, with the values of its operands.
///
/// # Errors
/// As [`forward`], and [`OperandError::BadLength`](crate::OperandError::BadLength).
pub fn forward_with<X: Element>(
    chain: &Chain,
    x: &[X],
    values: &Values,
) -> Result<Vec<f64>, Error> {
    let eval = Eval::new(chain, Pass::Forward, x.len(), values)?;
    if let Some(lines) = &eval.lines {
        return Ok(eval.rows_forward(lines, &in_f64(x)));
    }
    let (all, mut held) = (eval.all(), Held::default());
    let elements = x.iter().enumerate();
    Ok(elements
        .map(|(index, x)| eval.value_of(&all, f64::from(x.to_f32()), index, &mut held))
        .collect())
}

/// The gradient with respect to `x`, given that with respect to the chain's value, `dy`.
///
/// # Errors
/// As [`forward`], and [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch) where `x` and `dy` differ
/// in length.
pub fn backward<X: Element, G: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
) -> Result<Vec<f64>, Error> {
    backward_with(chain, x, dy, &Values::new())
}

/// The gradient with respect to `x`, with the values of the chain's operands.
///
/// # Errors
/// As [`backward`], and [`OperandError::BadLength`](crate::OperandError::BadLength).
pub fn backward_with<X: Element, G: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    values: &Values,
) -> Result<Vec<f64>, Error> {
    crate::error::same_length("x", x.len() as u64, "dy", dy.len() as u64)?;
    chain.supports(Pass::Backward)?;
    let eval = Eval::new(chain, Pass::Backward, x.len(), values)?;
    if let Some(lines) = &eval.lines {
        return Ok(eval.rows_backward(lines, &in_f64(x), &in_f64(dy)));
    }
    let (all, mut held) = (eval.all(), Held::default());
    let gradient = |(index, (x, dy)): (usize, (&X, &G))| {
        let pair = [x.to_f32(), dy.to_f32()].map(f64::from);
        eval.gradient_of(&all, &eval.path, pair, index, &mut held)
    };
    Ok(x.iter().zip(dy).enumerate().map(gradient).collect())
}

/// The gradient with respect to the operand `@name`, as long as that operand: each element's share,
/// summed where elements share a value.
///
/// # Errors
/// As [`backward_with`], and [`ChainError::NoGradient`].
pub fn gradient<X: Element, G: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    values: &Values,
    name: &str,
) -> Result<Vec<f64>, Error> {
    crate::error::same_length("x", x.len() as u64, "dy", dy.len() as u64)?;
    let shares = Shares::new(chain, x.len(), values, name)?;
    let mut sums = vec![0.0; shares.count()];
    if let Some(lines) = &shares.eval.lines {
        let all = shares
            .eval
            .rows_shares(lines, &shares.path, &in_f64(x), &in_f64(dy));
        for (index, share) in all.into_iter().enumerate() {
            sums[shares.spread.index(index)] += share;
        }
        return Ok(sums);
    }
    let mut held = Held::default();
    for (index, (x, dy)) in x.iter().zip(dy).enumerate() {
        let share = shares.at(x.to_f32(), dy.to_f32(), index, &mut held);
        sums[shares.spread.index(index)] += share;
    }
    Ok(sums)
}

/// The elements' shares of an operand's gradient.
pub(crate) struct Shares {
    pub(crate) eval: Eval,
    /// From the operand to the chain's value.
    pub(crate) path: Vec<Link>,
    pub(crate) spread: Broadcast,
    count: usize,
}

impl Shares {
    pub(crate) fn new(
        chain: &Chain,
        len: usize,
        values: &Values,
        name: &str,
    ) -> Result<Self, Error> {
        let eval = Eval::new(chain, Pass::Backward, len, values)?;
        let mut operands = chain.operands().into_iter();
        let operand = operands.position(|operand| operand == name);
        let operand = operand.ok_or_else(|| {
            Error::Chain(ChainError::NoGradient {
                operand: format!("@{name}"),
                why: "the chain has no such operand".into(),
            })
        })?;
        if !chain.learnable().contains(&name) {
            return Err(Error::no_derivative(name));
        }
        let (values, spread) = &eval.values[operand];
        let (count, spread) = (values.len(), *spread);
        Ok(Shares {
            path: Link::path(&chain.nodes(), Source::Operand(name)),
            eval,
            spread,
            count,
        })
    }

    /// How many sums there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn at(&self, x: f32, dy: f32, element: usize, held: &mut Held) -> f64 {
        let pair = [x, dy].map(f64::from);
        let all = self.eval.all();
        self.eval.gradient_of(&all, &self.path, pair, element, held)
    }
}

/// The gradient with respect to x, as [`backward`], from the chain's value `y` in the place of x. For a y that
/// is no value of the chain, it means nothing.
///
/// # Errors
/// As [`backward`], and [`ChainError::NeedsInput`].
///
/// ```
/// let dx = nonlin::reference::backward_from_y(&"tanh".parse()?, &[0.5], &[1.0])?;
/// assert_eq!(dx, [0.75]);
/// # Ok::<(), nonlin::Error>(())
/// ```
pub fn backward_from_y<Y: Element, G: Element>(
    chain: &Chain,
    y: &[Y],
    dy: &[G],
) -> Result<Vec<f64>, Error> {
    backward_from_y_with(chain, y, dy, &Values::new())
}

/// The same for rows that lie as the values' layout says.
///
/// # Errors
/// As [`backward_from_y`].
pub fn backward_from_y_with<Y: Element, G: Element>(
    chain: &Chain,
    y: &[Y],
    dy: &[G],
    values: &Values,
) -> Result<Vec<f64>, Error> {
    crate::error::same_length("y", y.len() as u64, "dy", dy.len() as u64)?;
    chain.supports(Pass::BackwardFromY)?;
    if chain.row().is_some() {
        let eval = Eval::new(chain, Pass::BackwardFromY, y.len(), values)?;
        let lines = eval.lines.iter();
        let all = lines.map(|lines| eval.rows_backward_from_y(lines, &in_f64(y), &in_f64(dy)));
        return Ok(all.flatten().collect());
    }
    let steps = from_y(chain, y.len())?;
    let gradient = |(y, dy): (&Y, &G)| {
        let (mut v, mut gradient) = (f64::from(y.to_f32()), f64::from(dy.to_f32()));
        for (step, dx) in &steps {
            let p = &step.constants;
            let slope = dx.map_or_else(|| step.slope(v, p), |dx| at(dx, v, p));
            gradient = step.passed(gradient, slope);
            v = match &step.function {
                Kind64::Product => v / p[0],
                Kind64::Sum => v - p[0],
                _ => f64::NAN,
            };
        }
        gradient
    };
    Ok(y.iter().zip(dy).map(gradient).collect())
}

/// A derivative as a function of the value.
pub(crate) type FromValue = fn(f64, &[f64]) -> f64;

/// The steps from the last to the first, the activation with its derivative as a function of the value.
pub(crate) fn from_y(chain: &Chain, len: usize) -> Result<Vec<(Step64, Option<FromValue>)>, Error> {
    chain.validate()?;
    chain.supports(Pass::BackwardFromY)?;
    let eval = Eval::new(chain, Pass::BackwardFromY, len, &Values::new())?;
    let with = |step: Step64| {
        let dx = match &step.function {
            Kind64::Activation(room) => match room.from_y {
                FromY::Yes(dx) | FromY::If { dx, .. } => Some(dx),
                FromY::No(_) => None,
            },
            _ => None,
        };
        (step, dx)
    };
    let steps = eval.nodes.into_iter().map(|node| node.step);
    Ok(steps.rev().map(with).collect())
}
