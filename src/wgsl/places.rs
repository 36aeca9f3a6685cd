//! Where elements lie, as expressions.

use super::chain::{random, scalar};
use super::form::{At, Form, Input};
use crate::chain::Chain;
use crate::chain::step::Function;
use crate::tensor::dtype::DType;

/// The element of index `at` (an identifier, or in parentheses) as bits.
pub(super) fn fetch(name: &str, dtype: DType, at: &str, is_atomic: bool) -> String {
    match dtype.size() {
        4 => format!("{name}[{at}]"),
        _ if is_atomic => {
            format!("(atomicLoad(&{name}[{at} >> 1u]) >> (16u * ({at} & 1u))) & 0xffffu")
        }
        _ => format!("({name}[{at} >> 1u] >> (16u * ({at} & 1u))) & 0xffffu"),
    }
}

/// `vec4(..)` of text for each of four lanes.
pub(super) fn vec4(text: impl Fn(usize) -> String) -> String {
    let lanes = [0, 1, 2, 3].map(text);
    format!("vec4({})", lanes.join(", "))
}

/// Where the element or word `i` of an operand lies, in rows with gaps or without.
pub(super) fn place(form: &Form, name: &str, at: At, i: &str) -> String {
    if at.has_rows() {
        format!(
            "args.{name} + {i} + m_divide({i}, args.row_magic_{name}, args.row_shift_{name}) * \
             args.gap_{name}"
        )
    } else if form.has_offset(at) {
        format!("args.{name} + {i}")
    } else {
        i.to_owned()
    }
}

/// Where the words of the i-th four pairs begin: of 32 bits two, of 16 bits one.
pub(super) fn pairs(name: &str, dtype: DType, i: &str) -> String {
    match dtype.size() {
        4 => format!("args.{name} + 2u * {i}"),
        _ => format!("args.{name} + {i}"),
    }
}

/// Four elements that alternate with others, as bits, of the words that were loaded under another operand's name.
pub(super) fn of_pairs(loaded: &str, input: &Input) -> String {
    let is_odd = input.at == At::Odd;
    if input.dtype.size() == 4 {
        let parts = if is_odd { "yw" } else { "xz" };
        return format!("vec4(low_{loaded}.{parts}, high_{loaded}.{parts})");
    }
    match is_odd {
        true => format!("low_{loaded} >> vec4(16u)"),
        false => format!("low_{loaded} & vec4(0xffffu)"),
    }
}

/// What a random step makes of the bits that it drew.
pub(super) fn drawn(chain: &Chain, index: usize) -> String {
    let nodes = chain.nodes();
    let step = nodes[index].step;
    let function = match step.function() {
        Function::Rrelu => "m_uniform",
        _ => "m_keep",
    };
    let constants = step.scalars().into_iter();
    let constants: String = constants
        .map(|(p, _)| format!(", args.scalars.{}", scalar(index, p)))
        .collect();
    format!("{function}({}_bits{constants})", random(index))
}
