//! A chain's steps with those of its branches, in an order in which they can be evaluated.
//!
//! Branches come before the step that takes their value: of `silu | gate(@u | clip(-7, 7) | bias(1))` the nodes are silu,
//! clip, bias and gate. The last node's value is the chain's. Every value but that one is taken once, so what leads from x or
//! an operand to the chain's value is a [`path`].

use super::Chain;
use super::step::Step;
use crate::act::Counts;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source<'a> {
    X,
    Operand(&'a str),
    /// The value of a node, by index.
    Node(usize),
}

/// A step and where it takes its values from.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) step: &'a Step,
    /// What it is applied to.
    pub(crate) from: Source<'a>,
    /// Of each parameter; none of a constant.
    pub(crate) arguments: Vec<Option<Source<'a>>>,
}

impl Node<'_> {
    /// Each parameter whose value is not a constant: its index, its name, and where its value comes from.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (usize, &str, Source<'_>)> {
        let named = self.step.parameters().into_iter().zip(&self.arguments);
        let numbered = named.enumerate();
        numbered.filter_map(|(index, (name, source))| Some((index, name, (*source)?)))
    }
}

impl Chain {
    pub(crate) fn nodes(&self) -> Vec<Node<'_>> {
        let mut nodes = Vec::new();
        add(&mut nodes, Source::X, self.steps());
        nodes
    }

    /// The random steps, as indices of nodes. The k-th of them draws at offset + k.
    pub(crate) fn draws(&self) -> Vec<usize> {
        let nodes = self.nodes().into_iter().enumerate();
        let random = nodes.filter(|(_, node)| node.step.function().is_random());
        random.map(|(index, _)| index).collect()
    }
}

/// Adds steps that begin with a value. Says where theirs is.
fn add<'a>(nodes: &mut Vec<Node<'a>>, mut from: Source<'a>, steps: &'a [Step]) -> Source<'a> {
    for step in steps {
        let mut arguments = Vec::with_capacity(step.arguments().len());
        for argument in step.arguments() {
            let taken = argument.operand();
            arguments.push(taken.map(|(name, steps)| add(nodes, Source::Operand(name), steps)));
        }
        nodes.push(Node {
            step,
            from,
            arguments,
        });
        from = Source::Node(nodes.len() - 1);
    }
    from
}

/// The nodes from a source's on to the last, each with the parameter, by index, as which the value before it comes in; none
/// where the step is applied to it.
pub(crate) fn path(nodes: &[Node<'_>], mut source: Source<'_>) -> Vec<(usize, Option<usize>)> {
    let mut path = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let parameter = node.arguments.iter().position(|a| *a == Some(source));
        if node.from == source || parameter.is_some() {
            path.push((index, parameter));
            source = Source::Node(index);
        }
    }
    path
}

/// Whether every element has a use for its value of an operand: then NaN there is NaN in the result, whatever x is.
pub(crate) fn counts_everywhere(nodes: &[Node<'_>], operand: &str) -> bool {
    let mut path = path(nodes, Source::Operand(operand)).into_iter();
    path.all(|(node, parameter)| {
        let step = nodes[node].step;
        parameter.is_none_or(|p| step.function().counts(step.parameters()[p]) == Counts::Everywhere)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_come_first() {
        let chain: Chain = "silu | gate(@u | scale(@s | exp) | bias(1)) | relu"
            .parse()
            .unwrap();
        let nodes = chain.nodes();
        let names: Vec<_> = nodes.iter().map(|node| node.step.name()).collect();
        assert_eq!(names, ["silu", "exp", "scale", "bias", "gate", "relu"]);
        assert_eq!(nodes[4].from, Source::Node(0));
        assert_eq!(nodes[4].arguments, [Some(Source::Node(3))]);
        let of_s = path(&nodes, Source::Operand("s"));
        assert_eq!(
            of_s,
            [(1, None), (2, Some(0)), (3, None), (4, Some(0)), (5, None)]
        );
        let of_x = path(&nodes, Source::X);
        assert_eq!(of_x, [(0, None), (4, None), (5, None)]);
        assert_eq!(chain.operands(), ["u", "s"]);
    }
}
