//! Requests as numbers, which is all that burn's operations carry beside tensors. server.rs reads them.
//!
//! First come the numbers of a request, then texts, each as its length in bytes and its bytes, eight to a number. Of a chain:
//! the axis, seed, offset and what is wanted; its text, then three texts for each activation of the user's own in it: name,
//! parameters, WGSL. Of a layer: samples, channels, height and width; its text.

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
            (call.images.shape(), vec![call.layer.to_string()])
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

fn of_chain(call: &ChainCall, wants: Wants) -> ([u64; 4], Vec<String>) {
    let [seed, offset] = call.random;
    let mut texts = vec![call.chain.to_string()];
    for custom in customs(&call.chain) {
        let parameters: Vec<&str> = custom.parameters().collect();
        let wgsl = custom.wgsl().to_owned();
        texts.extend([custom.name().to_owned(), parameters.join(","), wgsl]);
    }
    let axis = call.channel_axis as u64;
    ([axis, seed, offset, wants.bits()], texts)
}
