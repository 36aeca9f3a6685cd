//! Requests as numbers, which is all that burn's operations carry beside tensors. server.rs reads them.
//!
//! First come the numbers of a request, then texts, each as its length in bytes and its bytes, eight to a number. Of a chain:
//! the axis, seed, offset, what is wanted, and 1 where backward is from y; its text, then three texts for each activation of the
//! user's own in it: name, parameters, WGSL. Of a layer: samples, channels, height, width, and which parameters come turned; its
//! text. The server puts a layer's parameters together itself, at each call.

use crate::call::{ChainCall, Wants, customs};
use crate::request::Request;
use burn_remote::ir::ScalarIr;

/// A request's numbers.
pub(crate) fn written(request: &Request) -> Vec<ScalarIr> {
    let none = Wants::of([]);
    let (numbers, texts) = match request {
        Request::ChainForward(call)
        | Request::ChainDoubleBackward(call)
        | Request::GatedForward(call)
        | Request::GatedBackward(call) => of_chain(call, none),
        Request::ChainBackward(call, wants) => of_chain(call, *wants),
        Request::LayerForward(call) | Request::LayerBackward(call) => {
            let [samples, channels, height, width] = call.images.shape();
            let numbers = [samples, channels, height, width, call.turned().bits()];
            (numbers, vec![call.layer.to_string()])
        }
    };
    let texts = texts.iter().flat_map(|text| {
        let words = text.as_bytes().chunks(8).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        });
        std::iter::once(text.len() as u64).chain(words)
    });
    let all = numbers.into_iter().chain(texts);
    all.map(ScalarIr::UInt).collect()
}

fn of_chain(call: &ChainCall, wants: Wants) -> ([u64; 5], Vec<String>) {
    let [seed, offset] = call.random;
    let mut texts = vec![call.chain.to_string()];
    for custom in customs(&call.chain) {
        let parameters: Vec<&str> = custom.parameters().collect();
        let wgsl = custom.wgsl().to_owned();
        texts.extend([custom.name().to_owned(), parameters.join(","), wgsl]);
    }
    let axis = call.channel_axis as u64;
    let from_y = u64::from(call.from_y);
    ([axis, seed, offset, wants.bits(), from_y], texts)
}
