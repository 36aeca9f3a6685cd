//! What a correct kernel may hold of one element: enclosures of all values of a chain, and of gradients.

use super::enclosure::{Enclosure, Parameters, product};
use crate::reference::{Eval, Link, Source64};

/// The enclosures of one element.
pub(super) struct Walk<'e> {
    eval: &'e Eval,
    element: usize,
    x: Enclosure,
    /// Of each node but the last.
    values: Vec<Enclosure>,
    /// Of each node.
    parameters: Vec<Parameters<'e>>,
}

impl<'e> Walk<'e> {
    pub(super) fn new(eval: &'e Eval, element: usize, x: f32) -> Self {
        let mut walk = Walk {
            eval,
            element,
            x: Enclosure::exact(x),
            values: Vec::with_capacity(eval.nodes.len()),
            parameters: Vec::with_capacity(eval.nodes.len()),
        };
        for (index, node) in eval.nodes.iter().enumerate() {
            let p = eval.parameters(node, element, &[]);
            let mut parameters = Parameters::exact(p);
            for (parameter, source) in &node.taken {
                if let Source64::Node(from) = source {
                    parameters.set(*parameter, walk.values[*from]);
                }
            }
            walk.parameters.push(parameters);
            if index + 1 < eval.nodes.len() {
                walk.values.push(walk.value(index));
            }
        }
        walk
    }

    /// What a node's step is applied to.
    fn from(&self, node: usize) -> Enclosure {
        match self.eval.nodes[node].from {
            Source64::X => self.x,
            Source64::Operand(index) => Enclosure::exact(self.eval.operand(index, self.element)),
            Source64::Node(index) => self.values[index],
        }
    }

    fn value(&self, node: usize) -> Enclosure {
        let step = &self.eval.nodes[node].step;
        self.from(node).through(step, &self.parameters[node])
    }

    /// The chain's value.
    pub(super) fn result(&self) -> Enclosure {
        match self.eval.nodes.len() {
            0 => self.x,
            count => self.value(count - 1),
        }
    }

    /// The gradient behind a path, from that of the chain's value.
    pub(super) fn gradient(&self, path: &[Link], dy: f32) -> Enclosure {
        let factor = |link: &Link| {
            let (from, p) = (self.from(link.node), &self.parameters[link.node]);
            let step = &self.eval.nodes[link.node].step;
            match &link.parameter {
                None => (from.slope(step, p), step.is_mask()),
                Some((index, name)) => {
                    (from.share(step, p, *index, name), step.is_share_mask(name))
                }
            }
        };
        let factors = path.iter().rev().map(factor);
        factors.fold(Enclosure::exact(dy), product)
    }
}
