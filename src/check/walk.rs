//! What a correct kernel may hold of one element: enclosures of all values of a chain, and of gradients.

use super::enclosure::{Enclosure, Parameters, product};
use crate::reference::{Eval, Link, Source64};
use std::ops::Range;

/// The enclosures of one element.
pub(super) struct Walk<'e> {
    eval: &'e Eval,
    element: usize,
    x: Enclosure,
    part: Range<usize>,
    /// Of each node but the last; x of those before the part.
    values: Vec<Enclosure>,
    /// Of each node of the part.
    parameters: Vec<Parameters<'e>>,
}

impl<'e> Walk<'e> {
    pub(super) fn new(eval: &'e Eval, element: usize, x: f32) -> Self {
        Self::of_part(eval, 0..eval.nodes.len(), element, Enclosure::exact(x))
    }

    /// The same of some of the nodes, one behind the other, of which the first is applied to x.
    pub(super) fn of_part(
        eval: &'e Eval,
        part: Range<usize>,
        element: usize,
        x: Enclosure,
    ) -> Self {
        let mut walk = Walk {
            eval,
            element,
            x,
            part: part.clone(),
            values: vec![x; part.start],
            parameters: Vec::with_capacity(part.len()),
        };
        for index in part.clone() {
            let node = &eval.nodes[index];
            let p = eval.parameters(node, element, &[]);
            let mut parameters = Parameters::exact(p);
            for (parameter, source) in &node.taken {
                if let Source64::Node(from) = source {
                    parameters.set(*parameter, walk.values[*from]);
                }
            }
            walk.parameters.push(parameters);
            if index + 1 < part.end {
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
        let parameters = &self.parameters[node - self.part.start];
        self.from(node).through(step, parameters)
    }

    /// The chain's value.
    pub(super) fn result(&self) -> Enclosure {
        match self.part.is_empty() {
            true => self.x,
            false => self.value(self.part.end - 1),
        }
    }

    /// The gradient behind a path, from that of the chain's value.
    pub(super) fn gradient(&self, path: &[Link], dy: f32) -> Enclosure {
        self.gradient_from(path, Enclosure::exact(dy))
    }

    /// The gradient behind the links of a path that are in this part, from that of its value.
    pub(super) fn gradient_from(&self, path: &[Link], dy: Enclosure) -> Enclosure {
        let factor = |link: &Link| {
            let p = &self.parameters[link.node - self.part.start];
            let from = self.from(link.node);
            let step = &self.eval.nodes[link.node].step;
            match &link.parameter {
                None => (from.slope(step, p), step.is_mask()),
                Some((index, name)) => {
                    (from.share(step, p, *index, name), step.is_share_mask(name))
                }
            }
        };
        let links = path.iter().filter(|link| self.part.contains(&link.node));
        links.rev().map(factor).fold(dy, product)
    }
}
