//! What a correct kernel may hold of one element: enclosures of all values of a chain, and of gradients.

use super::enclosure::{Enclosure, Parameters, ROUNDING, is_bend_mask, product};
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

    /// What double backward may hold for the gradients with respect to dy and to x.
    pub(super) fn second(&self, dy: f32, ddx: f32) -> [Enclosure; 2] {
        let steps: Vec<usize> = self.eval.path.iter().map(|link| link.node).collect();
        let parts = |node: usize| {
            let step = &self.eval.nodes[node].step;
            (self.from(node), step, &self.parameters[node])
        };
        let factor = |node: usize| {
            let (from, step, p) = parts(node);
            (from.slope(step, p), step.is_mask())
        };
        let mut tangents = vec![Enclosure::exact(ddx)];
        for node in &steps {
            tangents.push(product(tangents[tangents.len() - 1], factor(*node)));
        }
        let ddy = tangents[steps.len()];
        let mut gradient = Enclosure::exact(dy);
        let mut sum: Option<Enclosure> = None;
        for (node, tangent) in steps.iter().zip(tangents).rev() {
            let (from, step, p) = parts(*node);
            let passed = sum.map(|sum| product(sum, factor(*node)));
            let bend = from.bend(step, p);
            let is_mask = is_bend_mask(step) && bend.has_zero();
            let bent = product(gradient, (product(tangent, (bend, is_mask)), is_mask));
            sum = match passed {
                Some(passed) if step.is_straight() => Some(passed),
                Some(passed) => Some(passed.plus(bent).widened(ROUNDING, 0.0)),
                None if step.is_straight() => None,
                None => Some(bent),
            };
            gradient = product(gradient, factor(*node));
        }
        [ddy, sum.unwrap_or(Enclosure::hull([0.0]))]
    }
}
