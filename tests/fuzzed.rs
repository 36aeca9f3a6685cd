//! What fuzzers begin with, and what they found: all of it holds in every run, without a fuzzer.

#[path = "../fuzz/text.rs"]
mod text;

/// Every seed is read as text, and none makes anything panic.
#[test]
fn seeds_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/chain_text");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        text::check(&std::fs::read_to_string(path).unwrap());
        count += 1;
    }
    assert!(count >= 20);
}
