//! The files of shaders/slots through which a kernel's operands are reached: where an element's value is, how it is loaded,
//! and how it is stored.

use super::files::Text;
use super::form::{Access, At, Form, Input, Output, Sweep};
use crate::tensor::dtype::DType;

/// Adds them for each operand of a form. `settles`: whether elements are in doubt, and evaluated again.
pub(super) fn slots(text: &mut Text, form: &Form, settles: bool) {
    // What is swept ends with a word.
    text.set("ENDS", u8::from(!form.whole && form.sweep == Sweep::Each));
    text.set("SETTLES", u8::from(settles));
    for input in &form.inputs {
        loads(text, form, input);
    }
    for (index, output) in form.outputs.iter().enumerate() {
        stores(text, form, index, output);
    }
    if settles {
        text.file("slots/doubts.wgsl");
        text.file("slots/settled.wgsl");
        text.file("slots/settled_halves.wgsl");
    }
}

fn bits(dtype: DType) -> u64 {
    8 * dtype.size()
}

/// `fn at_<name>`: the place of the i-th element or word.
fn place(text: &mut Text, form: &Form, name: &str, at: At, dtype: DType) {
    let file = match at {
        At::Even | At::Odd if dtype.size() == 4 => "at_pairs_32",
        At::Rows | At::Ragged => "at_rows",
        At::Shared | At::Held | At::HeldSample => "at_one",
        At::Channel | At::Channels => "at_channel",
        At::Edge => "at_edge",
        At::ChannelWords => "at_channel_words",
        _ if form.has_offset(at) => "at_offset",
        _ => "at_each",
    };
    text.file_as(&format!("slots/{file}.wgsl"), &[("it", name)]);
}

/// `fn bits_<name>`, an element's value at a place, and `fn word_<name>`, four elements' values.
fn loads(text: &mut Text, form: &Form, input: &Input) {
    let name = input.name.as_str();
    match &input.like {
        Some(other) if input.at.is_of_channel() => {
            let at = format!("at_{other}");
            let names = [("it", name), ("other", other), ("at_other", &at)];
            let file = match input.at {
                At::Edge => "slots/at_edge_like.wgsl",
                _ => "slots/at_like.wgsl",
            };
            text.file_as(file, &names);
        }
        _ if input.has_periods && input.at.is_of_channel() => {
            text.file_as("slots/at_channel_of_period.wgsl", &[("it", name)]);
        }
        _ => place(text, form, name, input.at, input.dtype),
    }
    let memory = form.memory(input);
    let bits = bits(input.dtype);
    let word = match input.at {
        At::Each | At::Rows | At::Ragged | At::ChannelWords => format!("word_{bits}"),
        At::Channels => "word_four".into(),
        At::Edge => "word_edge".into(),
        At::Shared | At::Channel | At::Held | At::HeldSample => "word_one".into(),
        At::Even | At::Odd => format!("pairs_{bits}"),
    };
    let atomic = if form.is_atomic(memory) && bits == 16 {
        "_atomic"
    } else {
        ""
    };
    for file in [&format!("bits_{bits}{atomic}"), "four", &word] {
        let names = [("it", name), ("memory", memory)];
        text.file_as(&format!("slots/{file}.wgsl"), &names);
    }
}

/// `fn put_<name>`, which stores a word or an element; `fn word` where each two elements share 32 bits.
fn stores(text: &mut Text, form: &Form, index: usize, output: &Output) {
    let name = output.name.as_str();
    place(text, form, name, output.at, output.dtype);
    let bits = bits(output.dtype);
    let memory = form.target(output);
    let is_shared = form.other_of_pairs(index).is_some();
    let files: &[&str] = match (form.access, output.at) {
        (Access::Vec4, At::Even | At::Odd) if is_shared && bits == 32 => &["put_pairs_32"],
        (Access::Vec4, At::Even | At::Odd) if is_shared => &["put_pairs_16", "put", "put_32"],
        (Access::Vec4, At::Even) => &["put", "put_lanes", "even_BITS"],
        (Access::Vec4, At::Odd) => &["put", "put_lanes", "odd_BITS"],
        (Access::Vec4, _) => &["put", "put_BITS", "settle"],
        (Access::Scalar, _) if bits == 32 || form.is_atomic(memory) => &["put_one_BITS"],
        (Access::Scalar, At::Ragged) => &["halves_of_rows", "store_halves"],
        (Access::Scalar, _) => &["halves", "store_halves"],
    };
    for file in files {
        let file = file.replace("BITS", &bits.to_string());
        let names = [("it", name), ("memory", memory)];
        text.file_as(&format!("slots/{file}.wgsl"), &names);
    }
}
