//! The arrays of tests/data: a hidden layer's values and gradients, and PyTorch's results for them.

use std::path::{Path, PathBuf};

/// An array from tests/data.
pub(crate) fn array<T: npyz::Deserialize>(name: &str) -> Vec<T> {
    // Elsewhere than where they were built, tests are told where their data is.
    let data = std::env::var_os("NONLIN_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"),
        PathBuf::from,
    );
    let path = data.join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    npyz::NpyFile::new(&bytes[..])
        .expect("it is an .npy file")
        .into_vec()
        .expect("of that type")
}

/// The chains that PyTorch computed, each with its file.
pub(crate) fn chains() -> Vec<(String, String)> {
    let lines = include_str!("../data/torch/chains.txt").lines().enumerate();
    lines
        .map(|(index, chain)| (chain.to_owned(), format!("torch/{}.npy", index + 1)))
        .collect()
}
